import { beforeEach, describe, expect, it } from 'vitest';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { host, type Json, spec, type TestApi, testApi } from './support.ts';

const phases = await loadPhases();
let api: TestApi;
const balancer = (name: string, index: number) => host({ name, address: `10.9.0.${index}`, roles: ['load-balancer'] });
const hosts = (...more: Json[]) => [
  host({ address: '10.9.0.1' }),
  host({ name: 'cp-2', address: '10.9.0.2', roles: ['control-plane'] }),
  ...more,
];
const endpoint = { controlPlane: { endpoint: { host: '10.9.0.100' } } };
const PAIR = [balancer('lb-1', 11), balancer('lb-2', 12)];

beforeEach(async () => {
  api = await testApi({ phases });
  return () => api.close();
});

const post = (more: Json, of: Json[]) => api.call('POST', '/clusters', { body: spec(more, of) });
const built = async (quarantined: string[] = []) => {
  const before = (await api.store.projections.operation('demo', 'op-1'))!;
  const quarantine = quarantined.map((name) => ({
    ...{ host: name, since: 't', by: 'a', why: 'w', phase: 'prepare', operationId: 'op-1' },
  }));
  await api.store.projections.saveOperation({
    ...before,
    ...{ state: 'succeeded', startedAt: '2026-01-01T00:00:00.000Z', quarantinedHosts: quarantined, quarantine },
  });
};
const remove = (name: string) => api.call('DELETE', `/clusters/demo/hosts/${name}?confirm=${name}`);

describe('DELETE of a balancer', () => {
  it('is one of two: the other one goes on', async () => {
    expect((await post(endpoint, hosts(...PAIR))).status).toBe(202);
    await built();
    expect((await remove('lb-1')).status).toBe(202);
  });

  it('is refused for the last one, with the numbers', async () => {
    expect((await post(endpoint, hosts(balancer('lb-1', 11)))).status).toBe(202);
    await built();
    expect(await remove('lb-1')).toMatchObject({
      status: 409,
      body: {
        code: 'QUORUM_WOULD_BREAK',
        detail: expect.stringContaining('0 of 1 load balancers would be left without lb-1; at least 1 must be'),
      },
    });
    expect(api.temporal.submitted).toHaveLength(1);
  });

  it('is refused for the last one that is not in quarantine, and the other one may go', async () => {
    await post(endpoint, hosts(...PAIR));
    await built(['lb-2']);
    expect(await remove('lb-1')).toMatchObject({
      body: {
        code: 'QUORUM_WOULD_BREAK',
        detail: expect.stringContaining('0 of 2 load balancers would be left without lb-1, lb-2'),
      },
    });
    expect((await remove('lb-2')).status).toBe(202);
  });

  it('counts a control plane in quarantine in the same way', async () => {
    await post({}, hosts());
    await built(['cp-2']);
    expect((await remove('cp-2')).status).toBe(202);
    const alone = [
      host({ address: '10.9.0.1', roles: ['etcd'] }),
      ...['cp-2', 'cp-3'].map((name, index) =>
        host({ name, address: `10.9.0.${index + 2}`, roles: ['control-plane'] }),
      ),
    ];
    const second = await testApi({ phases });
    try {
      await second.call('POST', '/clusters', { body: spec({}, alone) });
      const before = (await second.store.projections.operation('demo', 'op-1'))!;
      const quarantine = [{ host: 'cp-3', since: 't', by: 'a', why: 'w', phase: 'prepare', operationId: 'op-1' }];
      const ended = { ...before, state: 'succeeded' as const, startedAt: '2026-01-01T00:00:00.000Z' };
      await second.store.projections.saveOperation({ ...ended, quarantinedHosts: ['cp-3'], quarantine });
      expect(await second.call('DELETE', '/clusters/demo/hosts/cp-2?confirm=cp-2')).toMatchObject({
        body: { code: 'QUORUM_WOULD_BREAK', detail: expect.stringContaining('0 of 2 control planes') },
      });
    } finally {
      await second.close();
    }
  });
});

describe('a changed spec', () => {
  it('takes the role of a balancer while another one stays, and of no two at once', async () => {
    await post(endpoint, hosts(...PAIR));
    await built();
    const worker = (name: string, index: number) => host({ name, address: `10.9.0.${index}`, roles: ['worker'] });
    const third = balancer('lb-3', 13);
    const swapped = await post(endpoint, hosts(worker('lb-1', 11), worker('lb-2', 12), third));
    expect(swapped).toMatchObject({ status: 409, body: { code: 'REMOVAL_REFUSED' } });
    expect(swapped.text).toContain('Change them one after the other');
    expect((await post(endpoint, hosts(worker('lb-1', 11), PAIR[1]!, third))).status).toBe(202);
  });

  it('without the host of a balancer is refused: it leaves by a DELETE', async () => {
    await post(endpoint, hosts(...PAIR));
    await built();
    const answer = await post(endpoint, hosts(PAIR[0]!));
    expect(answer).toMatchObject({ status: 409, body: { code: 'REMOVAL_REFUSED' } });
    expect(answer.text).toContain('lb-2');
  });
});

describe('the role load-balancer without its phase', () => {
  it.each([
    ['host-names', {}],
    ['external', { controlPlane: { endpoint: { provider: 'external', host: '10.9.0.200' } } }],
  ])('is refused in a new spec, with the provider %s', async (provider, more) => {
    const answer = await post(more, hosts(...PAIR));
    expect(answer).toMatchObject({
      status: 422,
      body: {
        code: 'SPEC_INVALID',
        errors: [2, 3].map((index) => ({
          path: `spec.hosts[${index}].roles[0]`,
          message: `the role load-balancer would have no effect, for the phase load-balancer is off: spec.controlPlane.endpoint.provider is ${provider}; remove the role`,
        })),
      },
    });
    expect(api.temporal.submitted).toEqual([]);
  });

  it('stays with the hosts that had it: nodes go over to another endpoint first, then the hosts leave', async () => {
    await post(endpoint, hosts(...PAIR));
    await built();
    expect((await post({}, hosts(...PAIR))).status).toBe(202);
    const third = await post({}, hosts(...PAIR, balancer('lb-3', 13)));
    expect(third).toMatchObject({ status: 422, body: { errors: [{ path: 'spec.hosts[4].roles[0]' }] } });
  });
});
