import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createActivityDeps } from '../../activities/deps.ts';
import { createActivities } from '../../activities/index.ts';
import { temporalGateway } from '../../api/temporal-client.ts';
import { simulatedHosts } from '../../cli/dev/scale/simulated-hosts.ts';
import { simulatedPhases } from '../../cli/dev/scale/simulated-phases.ts';
import { simulatedSpec } from '../../cli/dev/scale/simulated-spec.ts';
import { startWorkers } from '../../worker/run.ts';
import { prepareNamespace } from '../../worker/temporal-server/namespace.ts';
import { TEST_CONVERTER, TEST_WORKER_CONVERTER } from '../support/temporal-codec.ts';
import { type Json, type TestApi, testApi } from '../unit/api/support.ts';

/** Operations on a real Temporal whose workflows are deleted then: what the API answers of them is the same. */

const CLUSTER = 'lasting';
/** Six hosts, and few tasks for each workflow: the workers go in batches. */
const HOSTS = 6;
const TASKS_PER_WORKFLOW = 20;
const FINAL = ['succeeded', 'failed', 'cancelled', 'blocked'];

let api: TestApi;
let connection: Connection;
const namespace = `test-${randomUUID()}`;
const parts: (() => Promise<unknown> | void)[] = [];

beforeAll(async () => {
  const address = inject('temporalAddress');
  await prepareNamespace({ address, namespace });
  connection = await Connection.connect({ address });
  parts.push(() => connection.close());
  const phases = await simulatedPhases(1);
  api = await testApi({
    phases: [...phases.values()],
    temporal: temporalGateway(connection, { namespace, dataConverter: TEST_CONVERTER }),
    loginPaths: ['/dev/null'],
    dryRunWaitMs: 50_000,
  });
  parts.push(() => api.close());
  const deps = { ...(await createActivityDeps(api.store)), phases, hosts: simulatedHosts(0) };
  const activities = createActivities(deps);
  const workers = await startWorkers({
    address,
    namespace,
    bundlePath: inject('workflowBundle'),
    activities: {
      ...activities,
      control: {
        ...activities.control,
        makePlan: async (input) => ({
          ...(await activities.control.makePlan(input)),
          tasksPerWorkflow: TASKS_PER_WORKFLOW,
        }),
      },
    },
    dataConverter: TEST_WORKER_CONVERTER,
  });
  parts.push(() => workers.shutdown());
});
afterAll(async () => {
  for (const part of parts.reverse()) await part();
});

const read = async (path: string): Promise<Json> => (await api.call('GET', path, { as: 'viewer' })).body;

async function ended(operation: string): Promise<string> {
  const path = `/clusters/${CLUSTER}/operations/${operation}`;
  await expect.poll(async () => FINAL.includes(String((await read(path))['state'])), { timeout: 50_000 }).toBe(true);
  return path;
}

/** Every workflow of the namespace goes, with its history. */
async function forget(): Promise<number> {
  const list = async () =>
    (await connection.workflowService.listWorkflowExecutions({ namespace, pageSize: 100 })).executions;
  // Lists of Temporal are written a moment after the workflows.
  await sleep(1_500);
  const found = await list();
  for (const { execution } of found) {
    await connection.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: execution! });
  }
  await expect.poll(async () => (await list()).length, { timeout: 30_000 }).toBe(0);
  return found.length;
}

it('plan and status are answered when Temporal has removed the workflows', async () => {
  const created = await api.call('POST', '/clusters', { body: simulatedSpec(CLUSTER, HOSTS) });
  expect(created.status, created.text).toBe(202);
  const operation = String(created.body['operation']);
  const path = await ended(operation);
  const before = await read(`${path}?plan=true`);
  expect(before).toMatchObject({ state: 'succeeded', plan: { kind: 'build', cluster: CLUSTER } });
  expect((before['plan'] as { phases: { name: string }[] }).phases.map(({ name }) => name)).toContain('etcd');
  // The cluster, the operation and its batches.
  expect(await forget()).toBeGreaterThan(3);
  await expect(api.deps.temporal.history(CLUSTER, operation)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await read(`${path}?plan=true`)).toEqual(before);
});
