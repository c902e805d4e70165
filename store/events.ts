import type { Kysely, Transaction } from 'kysely';
import type { StatusEvent } from './changes.ts';
import type { Tables } from './schema.ts';
import { now } from './time.ts';

export interface StoredEvent {
  id: string;
  cluster: string;
  event: StatusEvent;
}

/** Which events a follower wants. */
export interface EventFilter {
  /** Null: of all clusters. */
  clusters: readonly string[] | null;
  /** Absent: of all types. */
  types?: readonly StatusEvent['type'][] | undefined;
}

/**
 * The changes of operations and tasks of all clusters, in the order of their commits: a reader that continues behind an id that it
 * saw misses nothing, whichever process wrote.
 */
export interface EventLog {
  /** Events behind the id `after` ('': from the beginning), oldest first. */
  list(filter: EventFilter, after: string, limit: number): Promise<StoredEvent[]>;
  /** The id of the newest event of all clusters; '' before the first. */
  last(): Promise<string>;
  /** The greatest id that retention removed; ''. A reader that continues behind an older one may have missed events. */
  removedTo(): Promise<string>;
}

/** The one row of `event_log`. */
const ALL = '*';
/** Rows of 6 values: 500 of them stay below PostgreSQL's and SQLite's limits of bound values. */
const ROWS = 500;
/** Digits of a position in an id: 10^15 events. */
const DIGITS = 15;

/**
 * The id of an event. The landed versions used ULIDs, which begin with a digit: an id sorts behind all of them, so a client that
 * has one of them continues.
 */
const idOf = (position: number): string => `E${String(position).padStart(DIGITS, '0')}`;

/**
 * Appends events, as the last statements of a transaction: who holds the one row of `event_log` is the only one that appends until its commit, so
 * ids grow in the order of commits.
 */
export async function appendEvents(
  tx: Transaction<Tables>,
  { cluster, operation }: { cluster: string; operation: string },
  events: readonly StatusEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const { position } = await tx
    .insertInto('event_log')
    .values({ name: ALL, position: events.length, removed_to: '' })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet(({ eb }) => ({ position: eb('event_log.position', '+', events.length) })),
    )
    .returning('position')
    .executeTakeFirstOrThrow();
  const first = position - events.length + 1;
  const at = now();
  for (let from = 0; from < events.length; from += ROWS) {
    const rows = events.slice(from, from + ROWS).map(({ type, data }, index) => ({
      id: idOf(first + from + index),
      cluster,
      operation,
      type,
      data: JSON.stringify(data),
      created_at: at,
    }));
    await tx.insertInto('events').values(rows).execute();
  }
}

export function eventLog(db: Kysely<Tables>): EventLog {
  const log = () => db.selectFrom('event_log').select(['position', 'removed_to']).executeTakeFirst();
  return {
    async list({ clusters, types }, after, limit) {
      if (clusters?.length === 0) return [];
      let query = db.selectFrom('events').select(['id', 'cluster', 'type', 'data']).where('id', '>', after);
      if (clusters !== null) query = query.where('cluster', 'in', [...clusters]);
      if (types !== undefined) query = query.where('type', 'in', [...types]);
      const rows = await query.orderBy('id').limit(limit).execute();
      return rows.map(({ id, cluster, type, data }) => ({
        id,
        cluster,
        event: { type, data: JSON.parse(data) } as StatusEvent,
      }));
    },
    async last() {
      const { position } = (await log()) ?? { position: 0 };
      if (position > 0) return idOf(position);
      const row = await db.selectFrom('events').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst();
      return row?.id ?? '';
    },
    async removedTo() {
      return (await log())?.removed_to ?? '';
    },
  };
}

/** Notes that the events up to this id were removed: part of the transaction that removes them. */
export async function noteRemoved(tx: Transaction<Tables>, id: string): Promise<void> {
  await tx
    .insertInto('event_log')
    .values({ name: ALL, position: 0, removed_to: id })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet({ removed_to: id }).where('event_log.removed_to', '<', id),
    )
    .execute();
}
