import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { Harness } from '../support/temporal-harness.ts';
import { type PhaseSketch, sameHost } from '../support/temporal-plan.ts';

let harness: Harness;
const folders: string[] = [];
const children: ChildProcess[] = [];
beforeAll(async () => {
  harness = await Harness.create();
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await harness?.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Phases of the tasks whose end Temporal knows: what was not reported before a kill runs again, and rightly so. */
async function reported(operation: WorkflowHandle): Promise<string[]> {
  const { events } = await operation.fetchHistory();
  const names = new Map(
    events?.map(({ eventId, activityTaskScheduledEventAttributes: scheduled }) => [
      String(eventId),
      scheduled?.activityType?.name ?? '',
    ]),
  );
  return (events ?? []).flatMap(({ activityTaskCompletedEventAttributes: completed }) =>
    completed ? [names.get(String(completed.scheduledEventId)) ?? ''] : [],
  );
}

it('a worker killed in the middle costs its running task only: no finished task runs again', async () => {
  const hosts = ['h1', 'h2'];
  const phases: PhaseSketch[] = [
    { name: 'one', hosts },
    { name: 'two', hosts, needs: [sameHost('one')] },
    { name: 'three', hosts, needs: [sameHost('two')] },
  ];
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-crash-'));
  folders.push(folder);
  const logFile = join(folder, 'log');
  const openFile = join(folder, 'open');
  const worker = () => {
    const script = join(import.meta.dirname, '../support/temporal-fake-worker.ts');
    const { namespace } = harness;
    const child = spawn(
      process.execPath,
      [
        script,
        inject('temporalAddress'),
        namespace,
        inject('workflowBundle'),
        logFile,
        openFile,
        'two:h1',
        JSON.stringify(phases),
      ],
      { stdio: 'ignore' },
    );
    children.push(child);
    return child;
  };
  const lines = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8').trim().split('\n') : []);

  const doomed = worker();
  const cluster = harness.cluster(phases);
  const { operationId } = await cluster.submit();
  await cluster.until(async () => lines().includes('end three:h2') && lines().includes('start two:h1 1'));
  await cluster.until(async () => (await reported(cluster.operation(operationId))).includes('three'));
  doomed.kill('SIGKILL');
  await once(doomed, 'exit');
  writeFileSync(openFile, '');

  worker();
  await cluster.until(async () => lines().includes('end three:h1'));
  expect((await cluster.result(operationId)).state).toBe('succeeded');
  expect([...lines()].sort()).toEqual(
    [
      ...['one:h1', 'one:h2', 'two:h2', 'three:h1', 'three:h2'].flatMap((task) => [`start ${task} 1`, `end ${task}`]),
      ...['start two:h1 1', 'start two:h1 2', 'end two:h1'],
    ].sort(),
  );
});

it('a service that is stopped with SIGTERM during a task continues after its restart', async () => {
  const other = await Harness.create();
  try {
    await other.work();
    const cluster = other.cluster([
      { name: 'one', hosts: ['h1'] },
      { name: 'two', hosts: ['h1'], needs: [sameHost('one')] },
    ]);
    cluster.world.gate('two:h1');
    const { operationId } = await cluster.submit();
    await cluster.until(async () => cluster.world.count('two:h1') === 1);
    await other.rest();
    cluster.world.working('two:h1');
    await other.work();
    expect((await cluster.result(operationId)).state).toBe('succeeded');
    expect(cluster.world.attempts).toEqual(['one:h1', 'two:h1', 'two:h1']);
  } finally {
    await other.close();
  }
});
