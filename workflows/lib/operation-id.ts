/** Crockford's alphabet in lower case: sorts as its value, and makes a DNS label. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** Characters of an id that encode the time. */
const TIME_LENGTH = 9;
const TAIL_LENGTH = 7;

/**
 * A new operation id: the time in ms, then random characters. Ids of a cluster sort by age, even when the clock went
 * back: later than `last`, the newest of its ids so far. In workflows both sources are the deterministic ones of the SDK.
 */
export function newOperationId(nowMs: number, random: () => number, last?: string): string {
  const lastMs = last === undefined ? Number.NEGATIVE_INFINITY : timeOf(last);
  let rest = Math.max(Math.floor(nowMs), lastMs + 1);
  let time = '';
  for (let index = 0; index < TIME_LENGTH; index++) {
    time = ALPHABET[rest % 32]! + time;
    rest = Math.floor(rest / 32);
  }
  let tail = '';
  for (let index = 0; index < TAIL_LENGTH; index++) tail += ALPHABET[Math.floor(random() * 32)]!;
  return `${time}${tail}`;
}

const timeOf = (id: string): number =>
  Array.from(id.slice(0, TIME_LENGTH)).reduce((sum, digit) => sum * 32 + ALPHABET.indexOf(digit), 0);
