import { describe, expect, it } from 'vitest';
import { GOALS, type HaCase } from '../../cli/dev/ha/case.ts';
import { CASES } from '../../cli/dev/ha/cases/index.ts';
import { oneHolderAfterMs } from '../../cli/dev/ha/holders.ts';
import type { Measured } from '../../cli/dev/ha/measure.ts';
import { PROVIDERS } from '../../cli/dev/ha/providers.ts';
import { missed, table } from '../../cli/dev/ha/report.ts';

const one: HaCase = {
  ...{ name: 'killed', title: 'Killed', goalMs: GOALS.processKilled, providers: PROVIDERS },
  run: async () => undefined,
};
const stream = { acknowledged: 100, gapMs: 300, gapAt: 0 };
const reached: Measured = {
  case: one,
  writer: { streams: { kept: stream, new: stream }, failures: { ECONNRESET: 2 }, open: 0, missing: [] },
  inside: { requests: 70, failed: 0, gapMs: 200 },
  oneHolderMs: 700,
  startedAt: 0,
  tookMs: 15_000,
};

describe('goals', () => {
  it('are reached by a case within all of them', () => {
    expect(missed(reached)).toEqual([]);
  });

  it.each<[string, Partial<Measured>]>([
    ['1 acknowledged writes are missing', { writer: { ...reached.writer, missing: ['w-1'] } }],
    ['3 writes were never acknowledged', { writer: { ...reached.writer, open: 3 } }],
    ['gap over 1.00 s', { writer: { ...reached.writer, streams: { kept: stream, new: { ...stream, gapMs: 1_001 } } } }],
    ['gap over 1.00 s', { writer: { ...reached.writer, streams: { kept: { ...stream, gapMs: 9_000 }, new: stream } } }],
    ['not one holder within 3 s', { oneHolderMs: 3_100 }],
    ['not one holder within 3 s', { oneHolderMs: 'never' }],
    ['requests of pods failed', { inside: { requests: 70, failed: 1, gapMs: 200 } }],
  ])('%s', (what, change) => {
    const measured = { ...reached, ...change };
    expect(missed(measured)).toEqual([what]);
    // Good and bad alike are in the table.
    expect(table([reached, measured], 8)).toContain(what);
  });
});

describe('one holder of the address', () => {
  const at = (time: number, count: number) => ({ at: time, holders: '', count });
  it.each([
    ['where it always was one', [at(10, 1), at(20, 1)], 0],
    ['after there was none', [at(5, 1), at(10, 0), at(20, 0), at(30, 1)], 30],
    ['after there were two, for the last time', [at(10, 1), at(20, 2), at(30, 1)], 30],
    ['not at the end', [at(10, 1), at(20, 2)], null],
    ['where nobody was asked', [], null],
  ])('%s', (_, samples, wanted) => {
    expect(oneHolderAfterMs(samples, 0)).toBe(wanted);
  });
});

it('every case has a name of its own, and a way to the API servers for which it exists', () => {
  expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
  for (const { providers } of CASES) expect(providers.length).toBeGreaterThan(0);
});
