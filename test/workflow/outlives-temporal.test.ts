import { randomUUID } from 'node:crypto';
import { Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { createActivityDeps } from '../../activities/deps.ts';
import { createActivities } from '../../activities/index.ts';
import type { Phase } from '../../activities/phases/phase.ts';
import { temporalGateway } from '../../api/temporal-client.ts';
import type { TemporalGateway } from '../../api/temporal-gateway.ts';
import { simulatedHosts } from '../../cli/dev/scale/simulated-hosts.ts';
import { simulatedPhases } from '../../cli/dev/scale/simulated-phases.ts';
import { simulatedSpec } from '../../cli/dev/scale/simulated-spec.ts';
import type { Change } from '../../contracts/operation.ts';
import { startWorkers } from '../../worker/run.ts';
import { prepareNamespace } from '../../worker/temporal-server/namespace.ts';
import { TEST_CONVERTER, TEST_WORKER_CONVERTER } from '../support/temporal-codec.ts';
import { type Json, type TestApi, testApi } from '../unit/api/support.ts';

/** Operations on a real Temporal that then has none of their workflows: what the API answers of them is the same. */

// Two operations on a machine that may be busy with anything.
vi.setConfig({ testTimeout: 300_000 });

const CLUSTER = 'lasting';
/** Six hosts, and few tasks for each workflow: the workers go in batches. */
const HOSTS = 6;
const TASKS_PER_WORKFLOW = 20;
const FINAL = ['succeeded', 'failed', 'cancelled', 'blocked'];

/** Changes that `prepare` finds on each host, also in a dry run: more than are shown. */
const FOUND = 250;

function finding({ hooks: _hooks, ...phase }: Phase): Phase {
  const changes = Array.from(
    { length: FOUND },
    (_, n): Change => ({
      ...{ resource: `file:/etc/simulated/${n}`, action: 'create', detail: '412 bytes' },
    }),
  );
  return { ...phase, run: () => Promise.resolve(changes) };
}

let api: TestApi;
let connection: Connection;
let temporal: TemporalGateway;
const namespace = `test-${randomUUID()}`;
const empty = `test-${randomUUID()}`;
const parts: (() => Promise<unknown> | void)[] = [];

beforeAll(async () => {
  const address = inject('temporalAddress');
  for (const each of [namespace, empty]) await prepareNamespace({ address, namespace: each });
  connection = await Connection.connect({ address });
  parts.push(() => connection.close());
  const phases = await simulatedPhases(1);
  phases.set('prepare', finding(phases.get('prepare')!));
  temporal = temporalGateway(connection, { namespace, dataConverter: TEST_CONVERTER });
  api = await testApi({
    phases: [...phases.values()],
    temporal,
    loginPaths: ['/dev/null'],
    dryRunWaitMs: 150_000,
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
        makePlan: async (input) => {
          // Simulated hosts say nothing of a cluster's health.
          const { health: _health, ...plan } = await activities.control.makePlan(input);
          return { ...plan, tasksPerWorkflow: TASKS_PER_WORKFLOW };
        },
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
  await expect
    .poll(async () => FINAL.includes(String((await read(path))['state'])), { timeout: 150_000, interval: 250 })
    .toBe(true);
  return path;
}

it('plan, tasks, changes and what a dry run found are answered when Temporal has removed the workflows', async () => {
  const body = simulatedSpec(CLUSTER, HOSTS);
  const dry = await api.call('POST', '/clusters?dryRun=true', { body });
  expect(dry.status, dry.text).toBe(200);
  // Each of six hosts, and no phase without a host: 250 changes were found on each, 200 of them are shown.
  const found = dry.body['hosts'] as { host: string; changes: unknown[] }[];
  expect(found).toHaveLength(HOSTS);
  expect(dry.body['changeCount']).toBe(HOSTS * FOUND);
  expect(found.every(({ changes }) => changes.length === 200)).toBe(true);

  const created = await api.call('POST', '/clusters', { body });
  expect(created.status, created.text).toBe(202);
  const build = await ended(String(created.body['operation']));
  const check = `/clusters/${CLUSTER}/operations/${String(dry.body['operation'])}`;
  const paths = [build, check].flatMap((path) => [
    `${path}?plan=true&changes=true`,
    `${path}/tasks?limit=200&changes=true`,
    `${path}/tasks?limit=5&host=worker-2`,
  ]);
  const before = await Promise.all(paths.map(read));
  expect(before[0]).toMatchObject({ state: 'succeeded', plan: { kind: 'build', mode: 'apply', cluster: CLUSTER } });
  expect(before[3]).toMatchObject({ state: 'succeeded', plan: { mode: 'check' } });
  const changed = (before[0]!['changes'] as { phase: string; host: string; changeCount: number }[]).map(
    ({ phase, host }) => `${phase}:${host}`,
  );
  expect(changed).toContain('prepare:worker-3');
  expect(changed).toHaveLength((before[0]!['tasks'] as { changeCount?: number }[]).filter(isChanged).length);
  expect((before[3]!['changes'] as unknown[]).length).toBe(HOSTS);

  // As after Temporal's retention: a namespace that has none of the workflows.
  Object.assign(temporal, temporalGateway(connection, { namespace: empty, dataConverter: TEST_CONVERTER }));
  for (const path of [build, check]) {
    const history = temporal.history(CLUSTER, path.split('/').at(-1)!);
    await expect(history).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }
  expect(await Promise.all(paths.map(read))).toEqual(before);
});

const isChanged = ({ changeCount = 0 }: { changeCount?: number }): boolean => changeCount > 0;
