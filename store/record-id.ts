import { monotonicFactory } from 'ulid';

/**
 * Makes ids of records: ULIDs whose time is that of the record, so that the order of ids is the order of beginning and
 * a span of time is a span of ids. Within a millisecond they count up.
 */
export function recordIds(): (at: Date) => string {
  let next = monotonicFactory();
  let last = -1;
  return (at) => {
    const ms = at.getTime();
    if (ms !== last) next = monotonicFactory();
    last = ms;
    return next(ms);
  };
}
