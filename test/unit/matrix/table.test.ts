import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withResults } from '../../../cli/dev/matrix-table.ts';
import { checkoutRoot } from '../../../cli/dev/paths.ts';
import type { MatrixResult } from '../../matrix/kit/results.ts';

const page = readFileSync(join(checkoutRoot, 'docs/matrix.md'), 'utf8');
const run = { date: '2026-11-30', machine: '2 cores' };
const result = (more: Partial<MatrixResult>): MatrixResult => ({
  ...{ name: 'zz-toy', title: 'A | toy', state: 'passed', refused: false, seconds: 61.4, steps: [], error: null },
  ...more,
});
const lines = (text: string) => text.split('\n').filter((line) => line.includes('zz-toy'));

it('a case has one row, which later runs replace; the rest of the page stays', () => {
  const once = withResults(page, [result({})], run);
  expect(lines(once)).toEqual(['| zz-toy | A \\| toy | passed | 61 s | 2026-11-30 | 2 cores |']);
  const failed = result({ state: 'failed', error: 'build: operation x is blocked\nmore' });
  const twice = withResults(once, [failed], run);
  expect(lines(twice)).toEqual([
    '| zz-toy | A \\| toy | failed: build: operation x is blocked | 61 s | 2026-11-30 | 2 cores |',
  ]);
  expect(twice.split('\n').filter((line) => !line.includes('zz-toy'))).toEqual(page.split('\n'));
});

it('a refusal by name is no plain success, and the suite has a table of its own', () => {
  expect(lines(withResults(page, [result({ refused: true })], run))[0]).toContain('refused by name');
  const conformance = [{ suite: 'network conformance', passed: 43, failed: ['DNS: timed out'] }];
  expect(lines(withResults(page, [result({ conformance })], run))).toEqual([
    '| zz-toy network conformance | 43 of 44 passed | DNS: timed out | 2026-11-30 |',
  ]);
});
