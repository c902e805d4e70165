import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { createActivityDeps } from '../../activities/deps.ts';
import { createActivities } from '../../activities/index.ts';
import { findTraits } from '../../activities/operations/kind-loader.ts';
import type { OperationKinds } from '../../activities/operations/operation-kind.ts';
import { definePhase } from '../../activities/phases/phase.ts';
import type { SubmitOperation } from '../../contracts/actions.ts';
import { openStore, type Store } from '../../store/index.ts';
import { openKeyring } from '../../store/keyring.ts';
import { FakeHost } from '../fakes/fake-host.ts';
import { sampleCluster, sampleFacts } from '../golden/golden.ts';
import { type ClusterHandle, Harness } from '../support/temporal-harness.ts';
import { withToyOperation } from '../support/toy-operation.ts';

/** One task per host: restarts its time service. */
const clock = definePhase({
  name: 'clock',
  title: 'Clock',
  hosts: 'all',
  needs: [],
  timeouts: { applyMs: 10_000, verifyMs: 1_000 },
  expectedMs: 1,
  options: z.strictObject({}),
  async run({ remote, mode }) {
    if (mode === 'apply') await remote.exec(['systemctl', 'restart', 'chrony']);
    return [{ resource: 'service:chrony', action: 'restart', detail: 'restarted' }];
  },
});

const dataDir = mkdtempSync(join(tmpdir(), 'kubewright-kinds-'));
/** Hosts on which the command ran, in order. */
const restarted: string[] = [];
let harness: Harness;
let store: Store;
let kinds: OperationKinds;

beforeAll(async () => {
  store = await openStore({ dataDir, keyring: openKeyring(dataDir) });
  kinds = await withToyOperation();
  const deps = {
    ...(await createActivityDeps(store)),
    kinds,
    phases: new Map([[clock.name, clock]]),
    hosts: {
      open: ({ name }: { name: string }) => {
        const host = new FakeHost(name).on('systemctl restart chrony', () => {
          restarted.push(name);
          return '';
        });
        return Promise.resolve({ host, facts: sampleFacts, hostKeyFingerprint: 'SHA256:x' });
      },
    },
  };
  harness = await Harness.create();
  await harness.work({
    ...createActivities(deps),
    health: async ({ operationId }) => ({
      health: { state: 'healthy', at: new Date().toISOString(), operationId, reasons: [], reasonCount: 0 },
      commands: 0,
    }),
  });
});
afterAll(async () => {
  await harness?.close();
  await store?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const ask = (cluster: ClusterHandle, kind: string, more: Partial<SubmitOperation>) =>
  cluster.submit({ kind, traits: findTraits(kinds, kind), ...more });
const stateOf = async (cluster: ClusterHandle) => (await store.projections.cluster(cluster.name))?.state;

it('a kind in one new file is planned, run on the hosts that were asked for, and its end is the state of the cluster', async () => {
  const cluster = harness.cluster([]);
  const base = sampleCluster();
  const specRef = await store.specs.put({ ...base, metadata: { ...base.metadata, name: cluster.name } });
  const built = await ask(cluster, 'build', { specRef });
  expect(await cluster.result(built.operationId)).toMatchObject({ state: 'succeeded' });
  expect(await stateOf(cluster)).toBe('ready');

  restarted.length = 0;
  const asked = { specRef, hosts: ['worker-1'], options: { afterSeconds: 5 } };
  const checked = await ask(cluster, 'restart-time', { ...asked, mode: 'check' });
  expect(await cluster.result(checked.operationId)).toMatchObject({ state: 'succeeded', changeCount: 1 });
  expect(restarted).toEqual([]);
  expect(await stateOf(cluster)).toBe('ready');

  const { operationId } = await ask(cluster, 'restart-time', asked);
  expect(await cluster.result(operationId)).toMatchObject({ state: 'succeeded', changeCount: 1 });
  expect(restarted).toEqual(['worker-1']);
  expect(await store.projections.operation(cluster.name, operationId)).toMatchObject({
    ...{ kind: 'restart-time', mode: 'apply', state: 'succeeded', hosts: ['worker-1'] },
    tasks: [{ phase: 'clock', host: 'worker-1', state: 'succeeded' }],
  });
  expect(await stateOf(cluster)).toBe('degraded');
  // It builds nothing: what a build says of the cluster stays.
  expect((await store.projections.built(cluster.name))?.served).toHaveLength(3);
});

it('what its plan refuses is the error of the operation, and a field that it does not know too', async () => {
  const cluster = harness.cluster([]);
  const base = sampleCluster();
  const specRef = await store.specs.put({ ...base, metadata: { ...base.metadata, name: cluster.name } });
  const late = await ask(cluster, 'restart-time', { specRef, options: { afterSeconds: 55 } });
  expect(await cluster.result(late.operationId)).toMatchObject({ state: 'failed', error: { message: 'too late' } });
  expect(await stateOf(cluster)).toBe('failed');
  const newer = await ask(cluster, 'restart-time', { specRef, options: { after: 1 } });
  expect(await cluster.result(newer.operationId)).toMatchObject({
    ...{ state: 'failed', error: { code: 'BAD_REQUEST', message: expect.stringContaining('unknown key `after`') } },
  });
});
