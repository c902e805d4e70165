/** Crockford's alphabet in lower case: sorts as its value, and makes a DNS label. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/**
 * A new operation id: 9 characters of time, then 7 random ones, so that ids sort by age. In workflows both sources are
 * the deterministic ones of the SDK.
 */
export function newOperationId(nowMs: number, random: () => number): string {
  let time = '';
  let rest = Math.floor(nowMs);
  for (let index = 0; index < 9; index++) {
    time = ALPHABET[rest % 32]! + time;
    rest = Math.floor(rest / 32);
  }
  let tail = '';
  for (let index = 0; index < 7; index++) tail += ALPHABET[Math.floor(random() * 32)]!;
  return `${time}${tail}`;
}
