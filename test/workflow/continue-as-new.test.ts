import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterWorkflowId } from '../../contracts/messages.ts';
import { type RunningTemporal, startTemporalServer } from '../../worker/temporal-server/start.ts';
import { type ClusterHandle, Harness, refusalOf } from '../support/temporal-harness.ts';

/** Events after which the server suggests to continue as new; 4,096 in life. */
const HINT = 40;

let folder: string;
let server: RunningTemporal;
let harness: Harness;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kubewright-can-'));
  const dynamicConfig = { 'limit.historyCount.suggestContinueAsNew': HINT };
  server = await startTemporalServer({ dataDir: folder, headless: true, dynamicConfig });
  harness = await Harness.create(server.address);
  await harness.work();
});
afterAll(async () => {
  await harness?.close();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

const entity = async (cluster: ClusterHandle) => {
  const { runId, historyLength } = await harness.client.workflow.getHandle(clusterWorkflowId(cluster.name)).describe();
  return { runId, historyLength };
};

describe('an entity whose history has grown long', () => {
  it('continues as new between operations, and forgets nothing', async () => {
    const cluster = harness.cluster([{ name: 'one', hosts: ['h1'] }]);
    const requests: { requestId: string; operationId: string }[] = [];
    const run = async () => {
      const requestId = randomUUID();
      const { operationId } = await cluster.submit({ requestId });
      await cluster.result(operationId);
      requests.push({ requestId, operationId });
    };
    await run();
    const first = await entity(cluster);
    // Two more runs of the entity, whatever an operation costs.
    const runIds = new Set([first.runId]);
    while (runIds.size < 3 && requests.length < 30) {
      await run();
      runIds.add((await entity(cluster)).runId);
    }
    expect(runIds.size).toBe(3);
    expect((await entity(cluster)).historyLength).toBeLessThan(2 * HINT);

    await cluster.until(async () => (await cluster.status()).running === null);
    const { recent } = await cluster.status();
    expect(recent.map(({ operationId }) => operationId)).toEqual(
      requests.map(({ operationId }) => operationId).reverse(),
    );
    for (const { requestId, operationId } of requests) {
      expect(await cluster.submit({ requestId })).toEqual({ operationId, created: false });
    }
    expect(await refusalOf(cluster.submit({ requestId: requests[0]!.requestId, mode: 'check' }))).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
    expect(cluster.world.closed).toHaveLength(requests.length);
  });

  it('keeps its quarantine, until a spec has no such host', async () => {
    const cluster = harness.cluster([{ name: 'one', hosts: ['h1', 'h2', 'h3'] }]);
    cluster.world.failing('one:h2', 'SSH_UNREACHABLE', true);
    const { operationId } = await cluster.submit();
    await cluster.projected((status) => status.state === 'blocked');
    await cluster.say('skip', 'h2', { reason: 'dead' });
    const out = { host: 'h2', why: 'dead', phase: 'one', operationId };
    expect(await cluster.result(operationId)).toMatchObject({ state: 'succeeded', quarantine: [out] });

    const before = await entity(cluster);
    for (let run = 0; run < 30 && (await entity(cluster)).runId === before.runId; run++) {
      await cluster.result((await cluster.submit()).operationId);
    }
    expect((await entity(cluster)).runId).not.toBe(before.runId);
    await cluster.until(async () => (await cluster.status()).running === null);
    expect((await cluster.status()).quarantine).toMatchObject([out]);
    cluster.world.attempts.length = 0;
    await cluster.result((await cluster.submit()).operationId);
    expect(cluster.world.attempts.toSorted()).toEqual(['one:h1', 'one:h3']);

    cluster.world.phases[0]!.hosts = ['h1', 'h3'];
    expect(await cluster.result((await cluster.submit()).operationId)).toMatchObject({ quarantine: [] });
  });

  it('waits for the running operation, and keeps the queue', async () => {
    const cluster = harness.cluster([{ name: 'one', hosts: ['h1'] }]);
    const open = cluster.world.gate('one:h1');
    const first = await cluster.submit();
    await cluster.until(async () => cluster.world.count('one:h1') === 1);
    const waiting = [await cluster.submit({ requestId: 'second' }), await cluster.submit({ requestId: 'third' })];
    const before = await entity(cluster);
    while ((await entity(cluster)).historyLength <= 2 * HINT) {
      await cluster.pause('drain');
      await cluster.projected((status) => status.state === 'pausing');
      await cluster.resume();
      await cluster.projected((status) => status.state === 'running');
    }
    // The hint is old by now, and the operation still belongs to this run of the entity.
    expect((await entity(cluster)).runId).toBe(before.runId);
    expect((await cluster.status()).running?.operationId).toBe(first.operationId);

    open();
    expect((await cluster.result(first.operationId)).state).toBe('succeeded');
    await cluster.until(async () => (await entity(cluster)).runId !== before.runId);
    for (const { operationId } of waiting) expect((await cluster.result(operationId)).state).toBe('succeeded');
    expect(await cluster.submit({ requestId: 'third' })).toEqual({ ...waiting[1], created: false });
    await cluster.until(async () => (await cluster.status()).running === null);
    const { recent, queued } = await cluster.status();
    expect(queued).toEqual([]);
    expect(recent.map(({ operationId }) => operationId)).toEqual(
      [first, ...waiting].map(({ operationId }) => operationId).reverse(),
    );
  });
});
