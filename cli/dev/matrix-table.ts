import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { MatrixResult } from '../../test/matrix/kit/results.ts';

/** When and where cases ran. */
interface Run {
  /** ISO date. */
  date: string;
  machine: string;
}

const CASES = { begin: '<!-- cases: npm run matrix -- --all --write -->', end: '<!-- end of cases -->' };
const SUITES = {
  begin: '<!-- suites: npm run matrix -- --all --conformance --write -->',
  end: '<!-- end of suites -->',
};

/** This machine, in a few words. */
export function machineWords(): string {
  const gib = Math.round(totalmem() / 1024 ** 3);
  const cgroup = readFileSync('/proc/mounts', 'utf8').includes(' /sys/fs/cgroup cgroup2 ') ? 2 : 1;
  return `${cpus().length} cores, ${gib} GiB, Linux ${release().split('-')[0]}, cgroup v${cgroup}`;
}

/** The page with the rows of these cases replaced, and new ones in the order of their names; other rows stay. Pure. Throws an Error for a page without the marks. */
export function withResults(page: string, results: readonly MatrixResult[], run: Run): string {
  const cases = results.map((result): [string, string] => [
    result.name,
    row(result.name, cell(result.title), outcomeOf(result), `${Math.round(result.seconds)} s`, run.date, run.machine),
  ]);
  const suites = results.flatMap(({ name, conformance = [] }) =>
    conformance.map(({ suite, passed, failed }): [string, string] => [
      `${name} ${suite}`,
      row(
        `${name} ${suite}`,
        `${passed} of ${passed + failed.length} passed`,
        cell(failed.join('; ')) || '-',
        run.date,
      ),
    ]),
  );
  const plain = results.filter(({ conformance }) => conformance === undefined).map(({ name }) => name);
  return withRows(
    withRows(
      page,
      CASES,
      cases.filter(([name]) => plain.includes(name)),
    ),
    SUITES,
    suites,
  );
}

const row = (...cells: string[]): string => `| ${cells.join(' | ')} |`;
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ').slice(0, 600);

function outcomeOf({ state, refused, error }: MatrixResult): string {
  if (refused && state === 'passed') return 'refused by name, as expected on this machine';
  return state === 'failed' ? `failed: ${cell(error?.split('\n')[0] ?? '')}` : state;
}

function withRows(
  page: string,
  { begin, end }: { begin: string; end: string },
  rows: readonly [string, string][],
): string {
  const [before, rest] = page.split(`${begin}\n`);
  const [table, after] = rest?.split(end) ?? [];
  if (before === undefined || table === undefined || after === undefined) throw new Error(`the page has no ${begin}`);
  const [head = '', rule = '', ...lines] = table.trim().split('\n');
  const all = new Map(
    lines.filter((line) => line.startsWith('| ')).map((line) => [line.split(' | ')[0]!.slice(2), line]),
  );
  for (const [name, line] of rows) all.set(name, line);
  const sorted = [...all].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, line]) => line);
  return `${before}${begin}\n${[head, rule, ...sorted].join('\n')}\n${end}${after}`;
}
