import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KubewrightError } from '../../../contracts/errors.ts';
import type { OperationStatus, QuarantinedHost } from '../../../contracts/operation.ts';
import { host, type Json, spec, type TestApi, testApi } from './support.ts';

const HOSTS = [
  host(),
  host({ name: 'w-1', address: '10.0.0.2', roles: ['worker'], ssh: { port: 22, hostKey: `SHA256:${'a'.repeat(43)}` } }),
  host({ name: 'w-2', address: '10.0.0.3', internalAddress: '192.168.0.3', roles: ['worker'] }),
];

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
  await api.call('POST', '/clusters', { body: spec({}, HOSTS) });
});
afterEach(() => api.close());

/** The operation as its workflow would have written it. */
async function now(more: Partial<OperationStatus>): Promise<OperationStatus> {
  const before = (await api.store.projections.latestOperation('demo'))!;
  const status = { ...before, startedAt: new Date().toISOString(), version: 7, ...more };
  await api.store.projections.saveOperation(status);
  return status;
}
const blockedOn = (name: string) =>
  now({
    state: 'blocked',
    blockedHosts: [name],
    tasks: [{ phase: 'prepare', host: name, state: 'blocked', attempt: 4, decision: 0 }],
  });
const out = (name: string): QuarantinedHost => ({
  host: name,
  since: '2026-11-21T12:00:00.000Z',
  by: 'policy',
  why: 'SSH_UNREACHABLE: no route',
  phase: 'prepare',
  operationId: 'op-1',
});
const post = (path: string, body?: Json, headers?: Record<string, string>) =>
  api.call('POST', `/clusters/demo/${path}`, {
    as: 'operator',
    ...(body === undefined ? {} : { body }),
    ...(headers ? { headers } : {}),
  });
const code = async (answer: ReturnType<typeof post>) => {
  const { status, body } = await answer;
  return status === 202 ? 'accepted' : `${status} ${String(body['code'])}`;
};
const decided = (index = 0) => (api.temporal.commands[index] as { items: (Json & { specRef: string })[] }).items[0]!;

describe('commands to an operation', () => {
  it.each([
    ['pause', { mode: 'interrupt', reason: 'lunch' }],
    ['resume', undefined],
    ['cancel', { reason: 'enough' }],
  ])('%s carries actor, reason and request id', async (type, body) => {
    await now({ state: 'running' });
    expect(await post(type, body, { 'idempotency-key': 'k' })).toMatchObject({
      status: 202,
      body: { operation: 'op-1' },
    });
    expect(api.temporal.commands).toMatchObject([
      { type, cluster: 'demo', operation: 'op-1', actor: { name: 'operator' }, requestId: 'k', ...body },
    ]);
  });

  it('are refused without an event when nothing runs, or another operation is named', async () => {
    expect(await code(post('pause'))).toBe('409 CONFLICT'); // It waits in the queue.
    await now({ state: 'running' });
    expect(await code(post('pause', { operation: 'op-2' }))).toBe('404 NOT_FOUND');
    await now({ state: 'succeeded' });
    for (const path of ['pause', 'resume', 'hosts/w-1/retry', 'hosts/w-1/skip', 'hosts/w-1/abort']) {
      expect(await code(post(path)), path).toBe('409 CONFLICT');
      expect(await code(post(path, { operation: 'op-1' })), path).toBe('409 CONFLICT');
      expect((await api.call('POST', `/clusters/absent/${path}`)).status, path).toBe(404);
    }
    expect(api.temporal.commands).toEqual([]);
  });

  it('name the view that they are based on: in the body, or as If-Match of the ETag', async () => {
    await blockedOn('w-1');
    const { headers, body } = await api.call('GET', '/clusters/demo');
    expect(body['version']).toBe(7);
    expect(headers['etag']).toBe('"op-1:7"');
    await post('hosts/w-1/skip', { expectedVersion: 3 });
    await post('hosts/w-1/skip', undefined, { 'if-match': '"op-1:7"' });
    expect(api.temporal.commands).toMatchObject([{ expectedVersion: 3 }, { expectedVersion: 7 }]);
    expect(await code(post('hosts/w-1/skip', undefined, { 'if-match': '"op-0:7"' }))).toBe('404 NOT_FOUND');
    expect(await code(post('hosts/w-1/skip', undefined, { 'if-match': '*' }))).toBe('400 BAD_REQUEST');
    api.temporal.refusals.push(new KubewrightError('STALE_VERSION', 'moved on'));
    expect(await code(post('pause', { expectedVersion: 1 }))).toBe('412 STALE_VERSION');
  });

  it('are the same command when repeated under one key, and refused when it stood for another', async () => {
    await blockedOn('w-1');
    const key = { 'idempotency-key': 'key' };
    expect(await code(post('hosts/w-1/skip', {}, key))).toBe('accepted');
    await now({ state: 'succeeded', blockedHosts: [] });
    expect(await code(post('hosts/w-1/skip', {}, key))).toBe('accepted');
    expect(api.temporal.commands).toHaveLength(1);
    expect(await code(post('hosts/w-2/skip', {}, key))).toBe('422 IDEMPOTENCY_KEY_REUSED');
    expect(await code(post('hosts/w-1/retry', {}, key))).toBe('422 IDEMPOTENCY_KEY_REUSED');
  });
});

describe('decisions about a host', () => {
  it('retry takes corrections of the host and of phase options, on the spec of the operation', async () => {
    const { specRef } = await blockedOn('w-1');
    await post('hosts/w-1/retry');
    expect(decided()).toMatchObject({ host: 'w-1', action: 'retry', actor: { name: 'operator' } });
    expect(decided().specRef).toBeUndefined();
    const body = {
      phase: 'prepare',
      address: '10.0.0.9',
      ssh: { port: 2222 },
      phases: { flannel: { backend: 'host-gw' } },
      clusterPhases: { flannel: { backend: 'vxlan' } },
      reason: 'typo',
    };
    expect(await code(post('hosts/w-1/retry', body))).toBe('accepted');
    expect(decided(1)).toMatchObject({ phase: 'prepare', reason: 'typo', baseSpecRef: specRef });
    const { spec: corrected } = await api.store.specs.get(decided(1).specRef);
    expect(corrected.hosts[1]).toMatchObject({
      address: '10.0.0.9',
      ssh: { port: 2222, hostKey: `SHA256:${'a'.repeat(43)}` },
      phases: { flannel: { backend: 'host-gw' } },
    });
    expect(corrected.phases).toEqual({ flannel: { backend: 'vxlan' } });
    expect(corrected.hosts[2]).toMatchObject({ address: '10.0.0.3' });
  });

  it('bad corrections are refused with their place', async () => {
    await blockedOn('w-1');
    const retry = (body: Json) => code(post('hosts/w-1/retry', body));
    expect(await retry({ phase: 'nothing' })).toBe('400 BAD_REQUEST');
    expect(await retry({ address: '10.0.0.3' })).toBe('409 ADDRESS_IN_USE');
    expect(await retry({ address: '192.168.0.3' })).toBe('409 ADDRESS_IN_USE');
    expect(await retry({ internalAddress: '10.0.0.1' })).toBe('409 ADDRESS_IN_USE');
    expect(await retry({ phases: { flannel: { backend: 'pigeon' } } })).toBe('422 SPEC_INVALID');
    expect(await retry({ clusterPhases: { flanel: {} } })).toBe('422 SPEC_INVALID');
    expect(await retry({ ssh: { credential: { name: 'absent' } } })).toBe('422 SPEC_INVALID');
    expect(await retry({ adress: '10.0.0.9' })).toBe('400 BAD_REQUEST');
    expect(await code(post('hosts/nobody/retry'))).toBe('404 NOT_FOUND');
    expect(api.temporal.commands).toEqual([]);
  });

  it('a correction is repeated after a concurrent one', async () => {
    const { specRef: before } = await blockedOn('w-1');
    const other = structuredClone(await api.store.specs.get(before));
    other.spec.hosts[2]!.address = '10.0.0.33';
    const between = await api.store.specs.put(other);
    api.temporal.refusals.push(new KubewrightError('STALE_VERSION', 'corrected in the meantime'));
    const answer = post('hosts/w-1/retry', { address: '10.0.0.9' });
    await now({ specRef: between });
    expect(await code(answer)).toBe('accepted');
    expect(decided().baseSpecRef).toBe(between);
    const { spec: corrected } = await api.store.specs.get(decided().specRef);
    expect(corrected.hosts.map(({ address }) => address)).toEqual(['10.0.0.1', '10.0.0.9', '10.0.0.33']);
  });

  it('replace leaves nothing of the old machine in the spec', async () => {
    await blockedOn('w-1');
    expect(await code(post('hosts/w-1/replace', {}))).toBe('400 BAD_REQUEST');
    expect(await code(post('hosts/w-1/replace', { address: '10.0.0.1' }))).toBe('409 ADDRESS_IN_USE');
    expect(await code(post('hosts/w-1/replace', { address: '10.0.0.8', ssh: { user: 'admin' } }))).toBe('accepted');
    const { spec: corrected } = await api.store.specs.get(decided().specRef);
    expect(decided()).toMatchObject({ action: 'replace', host: 'w-1' });
    expect(corrected.hosts[1]).toMatchObject({ name: 'w-1', address: '10.0.0.8', roles: ['worker'] });
    expect(corrected.hosts[1]!.ssh).toEqual({ port: 22, user: 'admin' });
  });

  it("replace refuses the address of another cluster's host", async () => {
    await api.call('POST', '/clusters', { body: spec({}, [host({ address: '10.9.0.1' })], { name: 'other' }) });
    await blockedOn('w-1');
    expect(await code(post('hosts/w-1/replace', { address: '10.9.0.1' }))).toBe('409 ADDRESS_IN_USE');
    expect(await code(post('hosts/w-1/replace', { address: '10.9.0.1', ssh: { port: 2200 } }))).toBe('accepted');
  });

  it('replace of a host in quarantine is a heal on the corrected spec', async () => {
    await now({ state: 'succeeded', quarantine: [out('w-2')], quarantinedHosts: ['w-2'] });
    expect(await code(post('hosts/w-1/replace', { address: '10.0.0.8' }))).toBe('409 HOST_NOT_BLOCKED');
    expect(await code(post('hosts/nobody/replace', { address: '10.0.0.8' }))).toBe('404 NOT_FOUND');
    expect(await post('hosts/w-2/replace', { address: '10.0.0.8' })).toMatchObject({
      status: 202,
      body: { operation: 'op-2' },
    });
    const heal = api.temporal.submitted[1]!;
    expect(heal).toMatchObject({ kind: 'heal', mode: 'apply', hosts: ['w-2'], replaced: ['w-2'] });
    const corrected = (await api.store.specs.get(heal.specRef)).spec.hosts[2]!;
    expect(corrected).toMatchObject({ name: 'w-2', address: '10.0.0.8' });
    expect(corrected.internalAddress).toBeUndefined();
  });

  it('a host is corrected while the operation waits', async () => {
    const { specRef } = await blockedOn('w-1');
    const patch = (body: Json) => api.call('PATCH', '/clusters/demo/hosts/w-2', { body });
    expect((await patch({ address: '10.0.0.7' })).status).toBe(202);
    expect(api.temporal.commands).toMatchObject([{ type: 'amend', host: 'w-2', baseSpecRef: specRef }]);
    expect((await patch({ reason: 'nothing' })).status).toBe(400);
  });
});

describe('quarantine', () => {
  it('is shown, and makes the cluster degraded', async () => {
    await now({ state: 'succeeded', quarantine: [out('w-2')], quarantinedHosts: ['w-2'] });
    const { body } = await api.call('GET', '/clusters/demo');
    expect(body).toMatchObject({ state: 'degraded', quarantinedHosts: ['w-2'] });
    const hosts = body['hosts'] as Json[];
    expect(hosts[2]).toMatchObject({ state: 'quarantined', quarantined: { by: 'policy', phase: 'prepare' } });
    expect(hosts[0]!['quarantined']).toBeUndefined();
  });

  it('a heal is for hosts in it only', async () => {
    const heal = (more: Json = {}) => code(post('operations', { kind: 'heal', ...more }));
    expect(await heal()).toBe('409 HOST_NOT_QUARANTINED');
    await now({ state: 'succeeded', quarantine: [out('w-2')], quarantinedHosts: ['w-2'] });
    expect(await heal({ hosts: ['w-1'] })).toBe('409 HOST_NOT_QUARANTINED');
    expect(await heal({ hosts: ['nobody'] })).toBe('400 BAD_REQUEST');
    expect(await heal({ phases: ['prepare'] })).toBe('400 BAD_REQUEST');
    expect(await heal()).toBe('accepted');
    expect(api.temporal.submitted.at(-1)).toMatchObject({ kind: 'heal', mode: 'apply' });
  });
});
