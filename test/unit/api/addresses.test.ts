import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KubewrightError } from '../../../contracts/errors.ts';
import { host, type Json, spec, type TestApi, testApi } from './support.ts';

/** A machine belongs to one cluster of the installation, whatever it is called and however it is asked for. */

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
});
afterEach(() => api.close());

const other = (more: Json) => spec({}, [host(more)], { name: 'other' });
const post = async (body: unknown, query = '') => {
  const { status, body: answer } = await api.call('POST', `/clusters${query}`, { body });
  return status < 300 ? 'accepted' : `${status} ${String(answer['code'])}`;
};

describe('POST /clusters', () => {
  beforeEach(async () => {
    expect(await post(spec({}, [host({ internalAddress: '192.168.9.1' })]))).toBe('accepted');
  });

  it.each<[string, Json]>([
    ['its address', {}],
    ['its address under another host name', { name: 'x' }],
    ['its internal address as an address', { address: '192.168.9.1' }],
    ['its internal address', { address: '10.0.7.7', internalAddress: '192.168.9.1' }],
    ['its address as an internal one', { address: '10.0.7.7', internalAddress: '10.0.0.1' }],
  ])('refuses %s, for a build and for a dry run, with its place and without the other’s name', async (_what, more) => {
    for (const query of ['', '?dryRun=true']) {
      const { status, body, text } = await api.call('POST', `/clusters${query}`, { body: other(more) });
      expect(status).toBe(409);
      expect(body).toMatchObject({
        code: 'ADDRESS_IN_USE',
        errors: [{ path: expect.stringMatching(/^spec\.hosts\[0\]\./) }],
      });
      expect(text).not.toContain('demo');
    }
    expect(api.temporal.submitted).toHaveLength(1);
    expect(await api.store.projections.cluster('other')).toBeNull();
  });

  it('takes what is not the same machine, and the cluster itself again', async () => {
    expect(await post(other({ address: '10.0.0.2' }))).toBe('accepted');
    expect(await post(spec({}, [host({ internalAddress: '192.168.9.1' })]))).toBe('accepted');
    // A router leads its ports to different machines.
    expect(await post(spec({}, [host({ ssh: { port: 2201 } })], { name: 'third' }))).toBe('accepted');
  });

  it('refuses other ways to write an IPv4 address at all', async () => {
    for (const address of [
      '10.0.0.01',
      '10.1',
      '167772161',
      '0xa000001',
      '010.0.0.1',
      '::ffff:10.0.0.1',
      '10.0.0.1.',
    ]) {
      expect(await post(other({ address })), address).toBe('422 SPEC_INVALID');
    }
  });
});

it('a name and the number that it stands for are one machine, in either order', async () => {
  expect(await post(spec({}, [host({ address: 'localhost', ssh: { port: 2301 } })]))).toBe('accepted');
  expect(await post(other({ address: '127.0.0.1', ssh: { port: 2301 } }))).toBe('409 ADDRESS_IN_USE');
  expect(await post(other({ address: '127.0.0.1', ssh: { port: 2302 } }))).toBe('accepted');
  const third = spec({}, [host({ address: 'localhost', ssh: { port: 2302 } })], { name: 'third' });
  expect(await post(third)).toBe('409 ADDRESS_IN_USE');
  // A name that does not resolve is compared as it is.
  expect(await post(spec({}, [host({ address: 'nowhere.invalid' })], { name: 'third' }))).toBe('accepted');
  expect(await post(spec({}, [host({ address: 'nowhere.invalid' })], { name: 'fourth' }))).toBe('409 ADDRESS_IN_USE');
});

it('a name is one machine however it is written', async () => {
  expect(await post(spec({}, [host({ address: 'Nowhere.Invalid' })]))).toBe('accepted');
  for (const address of ['nowhere.invalid', 'NOWHERE.invalid', 'nowhere.invalid.']) {
    expect(await post(other({ address })), address).toBe('409 ADDRESS_IN_USE');
    expect(await post(other({ address: '10.0.7.7', internalAddress: address })), address).toBe('409 ADDRESS_IN_USE');
  }
});

it('of many clusters that ask for one machine at once, one gets it', async () => {
  const names = Array.from({ length: 8 }, (_, index) => `racer-${index}`);
  const answers = await Promise.all(names.map((name) => post(spec({}, [host({ address: '10.5.5.5' })], { name }))));
  expect(answers.filter((answer) => answer === 'accepted')).toHaveLength(1);
  expect(api.temporal.submitted).toHaveLength(1);
});

it('what Temporal refused holds nothing; what it did not answer may be under way', async () => {
  api.temporal.onSubmit = () => Promise.reject(new KubewrightError('OPERATION_RUNNING', 'busy'));
  expect(await post(other({ address: '10.6.6.6' }))).toBe('409 OPERATION_RUNNING');
  api.temporal.onSubmit = () => Promise.resolve();
  api.temporal.down = true;
  expect(await post(spec({}, [host({ address: '10.6.6.6' })], { name: 'second' }))).toBe('503 TEMPORAL_UNAVAILABLE');
  api.temporal.down = false;
  expect(await post(other({ address: '10.6.6.6' }))).toBe('409 ADDRESS_IN_USE');
  expect(await post(spec({}, [host({ address: '10.6.6.6' })], { name: 'second' }))).toBe('accepted');
});

it('a removed cluster owns no machine; a build on its last spec checks addresses again', async () => {
  await post(spec());
  const status = (await api.store.projections.latestOperation('demo'))!;
  await api.store.projections.saveOperation({ ...status, state: 'succeeded' });
  await api.store.projections.saveOperation({ ...status, operationId: 'op-z', kind: 'teardown', state: 'succeeded' });
  expect(await post(other({}))).toBe('accepted');
  for (const kind of ['build', 'check']) {
    const { body } = await api.call('POST', '/clusters/demo/operations', { body: { kind } });
    expect(body['code'], kind).toBe('ADDRESS_IN_USE');
  }
});
