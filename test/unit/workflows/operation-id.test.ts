import { expect, test } from 'vitest';
import { newOperationId } from '../../../workflows/lib/operation-id.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');

test('ids are labels of 16 characters that sort by age', () => {
  const ids = [0, 1, 1_000, 86_400_000, 365 * 86_400_000].map((later) => newOperationId(NOW + later, Math.random));
  for (const id of ids) expect(id).toMatch(/^[0-9a-z]{16}$/);
  expect([...ids].sort()).toEqual(ids);
});

test('an id is later than the last one in the same millisecond, and after the clock went back', () => {
  let last = newOperationId(NOW, () => 0.999);
  for (const nowMs of [NOW, NOW, NOW - 3_600_000, NOW - 7_200_000]) {
    const next = newOperationId(nowMs, () => 0, last);
    expect(next > last).toBe(true);
    last = next;
  }
  expect(newOperationId(NOW + 1_000, () => 0, last) > last).toBe(true);
});
