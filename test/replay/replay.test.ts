import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import proto from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { batchWorkflowId, clusterWorkflowId, operationWorkflowId } from '../../contracts/messages.ts';
import { TEST_WORKER_CONVERTER } from '../support/temporal-codec.ts';
import { type ClusterHandle, Harness } from '../support/temporal-harness.ts';
import { everyHost, sameHost } from '../support/temporal-plan.ts';

const FOLDER = join(import.meta.dirname, 'histories');
/** `KUBEWRIGHT_RECORD=1` writes the histories of this run beside the committed ones: once per released version. */
const RECORD = process.env.KUBEWRIGHT_RECORD;

interface Recorded {
  workflowId: string;
  /** Protobuf in base64: the SDK's own JSON form fails when npm installs several copies of protobufjs. */
  history: string;
}

const { History } = proto.temporal.api.history.v1;

let harness: Harness;
const code = () => readFileSync(inject('workflowBundle'), 'utf8');
const replay = (bundle: string, { workflowId, history }: Recorded) =>
  Worker.runReplayHistory(
    { workflowBundle: { code: bundle }, dataConverter: TEST_WORKER_CONVERTER },
    History.decode(Buffer.from(history, 'base64')),
    workflowId,
  );

beforeAll(async () => {
  harness = await Harness.create();
  await harness.work();
});
afterAll(async () => {
  await harness?.close();
});

const committed = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .sort();

describe('recorded histories', () => {
  it.each(committed)('%s replays on the present code', async (name) => {
    await replay(code(), JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Recorded);
  });

  it('fail on another order of tasks', async () => {
    const name = committed.find((each) => each.includes('operation'))!;
    const broken = code().replace(/\.order - (.+?)\.order/, '.order * -1 + $1.order');
    expect(broken).not.toBe(code());
    const recorded = JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Recorded;
    await expect(replay(broken, recorded)).rejects.toThrow(DeterminismViolationError);
  });
});

describe('the bundle', () => {
  it('holds no zod and no other module of the serving side', () => {
    const modules = [...code().matchAll(/^\/\*\*\*\/ "\.\/(.+?)":?$/gm)].map((match) => match[1]!);
    expect(modules.some((name) => name.includes('workflows/operation-run.ts'))).toBe(true);
    expect(modules.filter((name) => /node_modules\/(?!@temporalio)/.test(name) && /zod|pino|ssh/.test(name))).toEqual(
      [],
    );
    expect(code()).not.toContain('ZodType');
  });
});

it('an eventful operation and its entity replay, and can be recorded', async () => {
  const cluster = harness.cluster([
    { name: 'one', hosts: ['h1', 'h2', 'h3'] },
    { name: 'two', hosts: ['h1', 'h2', 'h3'], needs: [sameHost('one')] },
    { name: 'three', hosts: ['h1', 'h2'], needs: [everyHost('two')], maxParallel: 1 },
    { name: 'four', hosts: ['cluster'], needs: [everyHost('three')] },
  ]);
  cluster.world.failing('one:h2', 'SSH_UNREACHABLE');
  const blocked = await cluster.submit();
  const cancelled = await cluster.submit();
  await cluster.projected((status) => status.state === 'blocked');
  cluster.world.working('one:h2');
  cluster.world.gate('three:h1');
  await cluster.retry('h2', 'b'.repeat(64));
  await cluster.until(async () => cluster.world.count('three:h1') === 1);
  await cluster.pause('interrupt');
  await cluster.projected((status) => status.state === 'paused');
  cluster.world.working('three:h1');
  const open = cluster.world.gate('four:cluster');
  await cluster.resume();
  await cluster.until(async () => cluster.world.count('four:cluster') === 1);
  open();
  expect((await cluster.result(blocked.operationId)).state).toBe('succeeded');

  cluster.world.gate('one:h1');
  await cluster.until(async () => (await cluster.status()).running?.operationId === cancelled.operationId);
  await cluster.cancel();
  await cluster.result(cancelled.operationId);
  await cluster.until(async () => (await cluster.status()).running === null);

  const ids = {
    'cluster-queue-decide-pause-cancel': clusterWorkflowId(cluster.name),
    'operation-blocked-retried-interrupted': operationWorkflowId(cluster.name, blocked.operationId),
    'operation-cancelled': operationWorkflowId(cluster.name, cancelled.operationId),
  };
  for (const [name, workflowId] of Object.entries(ids)) await replayed(cluster, name, workflowId);
});

it('a large operation and its batches replay, and can be recorded', async () => {
  const workers = ['w1', 'w2', 'w3', 'w4'];
  const cluster = harness.cluster([
    { name: 'one', hosts: ['cp', ...workers] },
    { name: 'two', hosts: ['cp', ...workers], needs: [sameHost('one'), everyHost('one')] },
    { name: 'three', hosts: ['cp'], needs: [everyHost('two')] },
  ]);
  cluster.world.plan = { tasksPerWorkflow: 4 };
  cluster.world.failing('one:w3', 'SSH_UNREACHABLE');
  const { operationId } = await cluster.submit();
  await cluster.projected((status) => status.state === 'blocked');
  cluster.world.working('one:w3');
  cluster.world.gate('two:w1');
  await cluster.retry('w3', 'b'.repeat(64));
  await cluster.until(async () => cluster.world.count('two:w1') === 1);
  await cluster.pause('interrupt');
  await cluster.projected((status) => status.state === 'paused');
  cluster.world.working('two:w1');
  await cluster.resume();
  expect((await cluster.result(operationId)).state).toBe('succeeded');

  await replayed(cluster, 'operation-in-batches', operationWorkflowId(cluster.name, operationId));
  for (const index of [0, 1]) {
    await replayed(cluster, `batch-${index}`, batchWorkflowId(cluster.name, operationId, index, 0));
  }
});

/** The present history replays; recorded on demand. */
async function replayed(cluster: ClusterHandle, name: string, workflowId: string): Promise<void> {
  const recorded = await fetch(cluster, workflowId);
  await replay(code(), recorded);
  if (RECORD) writeFileSync(join(FOLDER, `${name}.json`), `${JSON.stringify(recorded)}\n`);
}

async function fetch(cluster: ClusterHandle, workflowId: string): Promise<Recorded> {
  const history = await cluster.client.workflow.getHandle(workflowId).fetchHistory();
  return { workflowId, history: Buffer.from(History.encode(history).finish()).toString('base64') };
}
