import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Health } from '../../contracts/health.ts';
import { Harness } from '../support/temporal-harness.ts';
import { sameHost } from '../support/temporal-plan.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.create();
  await harness.work();
});
afterAll(async () => {
  await harness?.close();
});

const HOSTS = ['h1', 'h2'];
const healthy: Health = {
  state: 'healthy',
  at: '2026-11-30T12:00:00.000Z',
  operationId: 'x',
  reasons: [],
  reasonCount: 0,
};
const degraded: Health = {
  ...healthy,
  state: 'degraded',
  reasons: [{ code: 'DISK_PRESSURE', subject: 'node h1', reason: 'h1 has DiskPressure' }],
  reasonCount: 1,
};
const cluster = (health: (Health | null)[], more: { changes?: number } = {}) => {
  const made = harness.cluster([
    { name: 'one', hosts: HOSTS },
    { name: 'two', hosts: HOSTS, needs: [sameHost('one')] },
  ]);
  made.world.plan = { health: { hosts: HOSTS } };
  made.world.health = health;
  made.world.changes = more.changes ?? 1;
  return made;
};

it('an operation that changed something succeeds, and ends with the health that was found after it', async () => {
  const it = cluster([degraded]);
  const { operationId } = await it.submit();
  expect(await it.result(operationId)).toMatchObject({ state: 'succeeded' });
  expect(it.world.closed[0]).toMatchObject({ state: 'succeeded', health: degraded });
  expect(it.world.looks).toMatchObject([{ operationId, settle: true, hosts: HOSTS, quarantined: [], gone: [] }]);
});

it('one that changed nothing checks health once beside its last tasks, and again when that check found a problem', async () => {
  const well = cluster([healthy], { changes: 0 });
  const open = well.world.gate('two:h2');
  const { operationId } = await well.submit();
  await expect.poll(() => well.world.looks.length).toBe(1);
  expect(well.world.closed).toEqual([]);
  open();
  await well.result(operationId);
  expect(well.world.closed[0]).toMatchObject({ health: healthy });
  expect(well.world.looks).toHaveLength(1);

  const ill = cluster([degraded, healthy], { changes: 0 });
  await ill.result((await ill.submit()).operationId);
  expect(ill.world.looks.map(({ settle }) => settle)).toEqual([false, false]);
  expect(ill.world.closed[0]).toMatchObject({ health: healthy });
});

it('a failed health check is unknown with the error, and the operation still succeeds', async () => {
  const it = cluster([null]);
  await it.result((await it.submit()).operationId);
  const reason = { code: 'NOT_LOOKED_AT', evidence: 'INTERNAL: made to fail' };
  expect(it.world.closed[0]).toMatchObject({ state: 'succeeded', health: { state: 'unknown', reasons: [reason] } });
});

it('the health check gets the hosts in quarantine; a cancelled operation ends without one', async () => {
  const out = cluster([degraded]);
  out.world.failing('one:h2', 'SSH_UNREACHABLE', true);
  const { operationId } = await out.submit();
  await out.projected((status) => status.state === 'blocked');
  await out.say('skip', 'h2');
  await out.result(operationId);
  expect(out.world.looks[0]!.quarantined).toMatchObject([{ host: 'h2' }]);

  const stopped = cluster([healthy]);
  stopped.world.gate('one:h1');
  const cancelled = await stopped.submit();
  await stopped.projected((status) => status.state === 'running');
  await stopped.cancel();
  await stopped.result(cancelled.operationId);
  expect(stopped.world.looks).toEqual([]);
  expect(stopped.world.closed[0]!.health).toBeUndefined();
});
