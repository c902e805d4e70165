import { beforeEach, describe, expect, it } from 'vitest';
import { credentialUses } from '../../../contracts/credential-use.ts';
import type { OperationStatus } from '../../../contracts/operation.ts';
import { host, type Json, spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
const hosts = [
  host(),
  host({ name: 'cp-2', address: '10.0.0.2', roles: ['control-plane'] }),
  host({ name: 'etcd-2', address: '10.0.0.3', roles: ['etcd'] }),
  host({ name: 'etcd-3', address: '10.0.0.4', roles: ['etcd'] }),
  host({ name: 'images', address: '10.0.0.5', roles: ['registry'] }),
  host({ name: 'w-1', address: '10.0.0.6', roles: ['worker'] }),
];

beforeEach(async () => {
  api = await testApi();
  await api.call('POST', '/clusters', { body: spec({}, hosts) });
  return () => api.close();
});

const del = (path: string, more: Parameters<TestApi['call']>[2] = {}) => api.call('DELETE', `/clusters/${path}`, more);
const ends = async (operation: string, more: Partial<OperationStatus>) => {
  const before = (await api.store.projections.operation('demo', operation))!;
  await api.store.projections.saveOperation({ ...before, ...more });
};
const cluster = async () =>
  (await api.call('GET', '/clusters/demo')).body as {
    state: string;
    specRef: string;
    hosts: Json[];
  };

describe('DELETE /clusters/:name', () => {
  it('asks for the name, and does nothing without it', async () => {
    for (const query of ['', '?confirm=', '?confirm=Demo', '?confirm=demo2']) {
      expect(await del(`demo${query}`)).toMatchObject({ status: 400, body: { code: 'NOT_CONFIRMED' } });
    }
    expect(await del('demo?confirm=demo&force=true')).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } });
    expect(await del('other?confirm=other')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await del('demo?confirm=demo', { as: 'operator' })).toMatchObject({ status: 403 });
    expect(api.temporal.submitted).toHaveLength(1);
    expect((await cluster()).state).toBe('building');
  });

  it('approves again what a whole teardown has forgotten: it can be repeated', async () => {
    const use = { credential: { keyFile: '/root/key' }, address: '10.0.0.1', port: 22, user: 'root' };
    const first = credentialUses(await api.store.specs.get((await cluster()).specRef))[0]!.use;
    expect(first).toMatchObject(use);
    await api.store.approvals.remove('demo');
    expect((await del('demo?confirm=demo')).status).toBe(202);
    expect(await api.store.approvals.has('demo', first)).toBe(true);
  });

  it('starts one teardown per key, queued behind the running operation or refused', async () => {
    const headers = { 'idempotency-key': 'k' };
    const [first, second] = [
      await del('demo?confirm=demo&ifBusy=refuse', { headers }),
      await del('demo?confirm=demo&ifBusy=refuse', { headers }),
    ];
    expect(first).toMatchObject({
      status: 202,
      body: { operation: 'op-2' },
      headers: { location: expect.any(String) },
    });
    expect(second.body['operation']).toBe('op-2');
    expect(api.temporal.submitted[1]).toMatchObject({ kind: 'teardown', mode: 'apply', ifBusy: 'refuse' });
    expect(api.temporal.submitted[1]!.hosts).toBeUndefined();
  });

  it('ends in a removed cluster, whose operations can be read, and that can be built again', async () => {
    await del('demo?confirm=demo');
    await ends('op-2', { state: 'running', startedAt: '2026-01-01T00:00:00.000Z' });
    expect((await cluster()).state).toBe('removing');
    await ends('op-2', { state: 'succeeded', startedAt: '2026-01-01T00:00:00.000Z' });
    expect((await cluster()).state).toBe('removed');
    const { items } = (await api.call('GET', '/clusters/demo/operations')).body as { items: Json[] };
    expect(new Set(items.map(({ kind }) => kind))).toEqual(new Set(['build', 'teardown']));
    expect((await api.call('POST', '/clusters', { body: spec({}, hosts) })).status).toBe(202);
  });

  it('as a dry run needs no confirmation and changes nothing of the cluster', async () => {
    api.temporal.onSubmit = async (name, operationId, { kind, mode, specRef }) => {
      if (kind !== 'teardown') return;
      const head = { operationId, cluster: name, kind, mode, specRef, actor: 'admin' };
      await api.store.projections.saveOperation({
        ...{ ...head, state: 'succeeded', startedAt: '2026-01-01T00:00:00.000Z' },
        ...{ tasks: [], blockedHosts: [], quarantinedHosts: [] },
      });
    };
    expect(await del('demo?dryRun=true')).toMatchObject({ status: 200, body: { state: 'succeeded', changeCount: 0 } });
    expect(api.temporal.submitted[1]).toMatchObject({ kind: 'teardown', mode: 'check' });
    expect((await cluster()).state).toBe('building');
  });
});

describe('DELETE /clusters/:name/hosts/:host', () => {
  it.each([
    ['cp-1', 409, 'QUORUM_WOULD_BREAK', 'etcd would have 2 members'],
    ['etcd-3', 409, 'QUORUM_WOULD_BREAK', 'etcd would have 2 members'],
    ['images', 422, 'SPEC_INVALID', 'from its registry'],
    ['nobody', 404, 'NOT_FOUND', 'no host named nobody'],
  ])('refuses %s, confirmed or not', async (name, status, code, detail) => {
    for (const query of ['', `?confirm=${name}`]) {
      const answer = await del(`demo/hosts/${name}${query}`);
      expect(answer).toMatchObject({ status, body: { code, detail: expect.stringContaining(detail) } });
    }
    expect(api.temporal.submitted).toHaveLength(1);
  });

  it('refuses the last control plane, and the one through which the others reach the API', async () => {
    const lone = (net: number) => [
      host({ address: `10.${net}.0.1`, roles: ['control-plane'] }),
      host({ name: 'e', address: `10.${net}.0.2`, roles: ['etcd'] }),
    ];
    await api.call('POST', '/clusters', { body: spec({}, lone(1), { name: 'lone' }) });
    expect(await del('lone/hosts/cp-1?confirm=cp-1')).toMatchObject({ body: { code: 'QUORUM_WOULD_BREAK' } });
    const two = [...lone(2), host({ name: 'cp-2', address: 'cp-2.example.org', roles: ['control-plane'] })];
    await api.call('POST', '/clusters', { body: spec({}, two, { name: 'two' }) });
    expect(await del('two/hosts/cp-1?confirm=cp-1')).toMatchObject({
      status: 422,
      body: { code: 'SPEC_INVALID', detail: expect.stringContaining('reach the API server through it') },
    });
    expect((await del('two/hosts/cp-2?confirm=cp-2')).status).toBe(202);
    const known = [...lone(3), host({ name: 'cp-2', address: '10.3.0.4', roles: ['control-plane'] })];
    await api.call('POST', '/clusters', { body: spec({}, known, { name: 'known' }) });
    expect((await del('known/hosts/cp-1?confirm=cp-1')).status).toBe(202);
  });

  it('takes a worker out of the spec once it is gone, and leaves the state of the cluster', async () => {
    await ends('op-1', { state: 'succeeded', startedAt: '2026-01-01T00:00:00.000Z' });
    expect((await cluster()).state).toBe('ready');
    expect(await del('demo/hosts/w-1?confirm=demo')).toMatchObject({ status: 400, body: { code: 'NOT_CONFIRMED' } });
    expect((await del('demo/hosts/w-1?confirm=w-1', { as: 'operator' })).status).toBe(202);
    expect(api.temporal.submitted[1]).toMatchObject({ kind: 'teardown', hosts: ['w-1'] });
    expect((await cluster()).hosts).toHaveLength(6);
    await ends('op-2', { state: 'succeeded', startedAt: '2026-01-01T00:01:00.000Z' });
    // Repeated, as a retry of the activity would.
    await ends('op-2', { state: 'succeeded', startedAt: '2026-01-01T00:01:00.000Z' });
    const after = await cluster();
    expect(after.state).toBe('ready');
    expect(after.hosts.map(({ name }) => name)).not.toContain('w-1');
    expect(after.hosts).toHaveLength(5);
  });

  it('is not possible through POST operations, which needs no confirmation', async () => {
    const answer = await api.call('POST', '/clusters/demo/operations', { body: { kind: 'teardown', hosts: ['w-1'] } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } });
  });
});

describe('DELETE /clusters/:name/hosts?hosts=a,b', () => {
  it('removes two members of etcd in one operation, confirmed by their names', async () => {
    expect(await del('demo/hosts?hosts=etcd-2,etcd-3')).toMatchObject({ status: 400, body: { code: 'NOT_CONFIRMED' } });
    expect(await del('demo/hosts?hosts=etcd-2,etcd-3&confirm=etcd-2')).toMatchObject({ status: 400 });
    const answer = await del('demo/hosts?hosts=etcd-2,etcd-3&confirm=etcd-2,etcd-3', { as: 'operator' });
    expect(answer).toMatchObject({ status: 202, body: { operation: 'op-2' } });
    expect(api.temporal.submitted[1]).toMatchObject({ kind: 'teardown', hosts: ['etcd-2', 'etcd-3'] });
    await ends('op-2', { state: 'succeeded', startedAt: '2026-01-01T00:00:00.000Z', hosts: ['etcd-2', 'etcd-3'] });
    expect((await cluster()).hosts.map(({ name }) => name)).toEqual(['cp-1', 'cp-2', 'images', 'w-1']);
  });

  it.each([
    ['cp-1,etcd-2,etcd-3', 409, 'QUORUM_WOULD_BREAK', 'etcd would have 0 members'],
    ['etcd-2', 409, 'QUORUM_WOULD_BREAK', 'remove two of them in one operation: DELETE /clusters/demo/hosts?hosts='],
    ['cp-1,cp-2,etcd-2', 409, 'QUORUM_WOULD_BREAK', 'control planes'],
    ['w-1,images', 422, 'SPEC_INVALID', 'from its registry'],
    ['w-1,nobody', 404, 'NOT_FOUND', 'no host named nobody'],
    ['', 400, 'BAD_REQUEST', 'hosts'],
    ['w-1,', 400, 'BAD_REQUEST', 'hosts'],
  ])('refuses %s', async (names, status, code, detail) => {
    const answer = await del(`demo/hosts?hosts=${names}&confirm=${names}`);
    expect(answer).toMatchObject({ status, body: { code, detail: expect.stringContaining(detail) } });
    expect(api.temporal.submitted).toHaveLength(1);
  });

  it('needs the hosts', async () => {
    expect(await del('demo/hosts?confirm=demo')).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } });
  });
});
