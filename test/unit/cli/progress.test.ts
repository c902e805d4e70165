import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { longestChain } from '../../../cli/dev/critical-path.ts';
import { clock, expectedRestMs, healthLines, type PhaseTiming, progressTable } from '../../../cli/dev/progress.ts';
import type { OperationStatus, TaskStatus } from '../../../contracts/operation.ts';

const phases: PhaseTiming[] = [
  { name: 'prepare', title: 'Prepare', needs: [], expectedMs: 4000 },
  { name: 'etcd', title: 'etcd', needs: [{ phase: 'prepare', on: 'same-host' }], expectedMs: 3000 },
  { name: 'nodes', title: 'Nodes', needs: [{ phase: 'prepare', on: 'same-host' }], expectedMs: 5000 },
  {
    name: 'verify',
    title: 'Verify',
    needs: [
      { phase: 'nodes', on: 'every-host' },
      { phase: 'etcd', on: 'quorum' },
    ],
    expectedMs: 2000,
  },
];
const task = (phase: string, host: string, more: Partial<TaskStatus> = {}): TaskStatus => ({
  phase,
  host,
  state: 'pending',
  attempt: 0,
  decision: 0,
  ...more,
});
const status = (tasks: TaskStatus[]): OperationStatus => ({
  operationId: 'op',
  cluster: 'demo',
  kind: 'build',
  mode: 'apply',
  state: 'running',
  actor: 'admin',
  specRef: '',
  startedAt: new Date(0).toISOString(),
  tasks,
  blockedHosts: [],
  quarantinedHosts: [],
});

describe('expected rest', () => {
  it('is the longest chain of what is left', () => {
    const tasks = [
      task('prepare', 'a', { state: 'succeeded' }),
      task('etcd', 'a', { state: 'running', startedAt: new Date(1000).toISOString() }),
      task('nodes', 'a'),
      task('verify', 'a'),
    ];
    expect(expectedRestMs(status(tasks), phases, 2000)).toBe(5000 + 2000);
  });

  it('never falls to nothing while a slow task runs', () => {
    const tasks = [task('verify', 'a', { state: 'running', startedAt: new Date(0).toISOString() })];
    expect(expectedRestMs(status(tasks), phases, 60_000)).toBe(100);
  });
});

it('the columns of hosts begin at one place, however long the name of a phase', () => {
  const long = { name: 'a-phase-with-a-long-name', title: 'Long', needs: [], expectedMs: 1 };
  const tasks = [task('etcd', 'cp-1', { state: 'blocked' }), task(long.name, 'cp-1', { state: 'blocked' })];
  const [head, ...rows] = progressTable(status(tasks), [phases[1]!, long], 0).slice(0, 3).map(stripVTControlCharacters);
  expect(rows.map((row) => row.search(/\S+(?= \d+\.\ds)/))).toEqual([head!.indexOf('cp-1'), head!.indexOf('cp-1')]);
});

it('longest chain follows what each task waited for', () => {
  const tasks = [
    task('prepare', 'a', { commandMs: 100 }),
    task('prepare', 'b', { commandMs: 900 }),
    task('nodes', 'a', { commandMs: 1000 }),
    task('nodes', 'b', { commandMs: 10 }),
    task('verify', 'a', { commandMs: 5 }),
  ];
  expect(longestChain(tasks, phases)).toEqual({ ms: 1105, tasks: ['prepare on a', 'nodes on a', 'verify on a'] });
});

it('the table has a line per phase and the running tasks', () => {
  const lines = progressTable(
    status([task('prepare', 'a', { state: 'running', startedAt: new Date(0).toISOString() })]),
    phases,
    1500,
  );
  expect(lines.join('\n')).toContain('prepare');
  expect(lines.join('\n')).toContain('1.5s');
  expect(lines.at(-1)).toBe('now: prepare on a');
  expect(clock(65_000)).toBe('1:05');
});

it('prints the health of a build: one line, and one for each reason', () => {
  const health = { state: 'degraded', at: '2026-11-30T12:00:00.000Z', operationId: 'op', reasonCount: 3 } as const;
  const reasons = [
    { code: 'DISK_PRESSURE', subject: 'node w-1', reason: 'w-1 has DiskPressure', evidence: 'df' } as const,
  ];
  expect(healthLines({ ...health, reasons })).toEqual([
    'health: degraded',
    '  DISK_PRESSURE: w-1 has DiskPressure (df)',
    '  and 2 more',
  ]);
  expect(healthLines(undefined)).toEqual([]);
});
