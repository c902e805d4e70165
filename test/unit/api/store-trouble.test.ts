import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { asStoreError } from '../../../store/guard.ts';
import { spec, type TestApi, testApi } from './support.ts';

const full = () => asStoreError(Object.assign(new Error('database or disk is full'), { errcode: 13 }));
const busy = () => asStoreError(Object.assign(new Error('database is locked'), { errcode: 5 }));

/** Every request that changes something is recorded: what a caller gets when the record cannot be written. */
describe('a request while the store is in trouble', () => {
  let api: TestApi;
  beforeEach(async () => {
    api = await testApi();
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await api.close();
  });

  it('is a problem document with its code when its begin cannot be written, and nothing is started', async () => {
    vi.spyOn(api.store.journal, 'begin').mockRejectedValue(busy());
    const record = vi.spyOn(api.store.journal, 'record');
    const answer = await api.call('POST', '/clusters', { body: spec() });
    expect(answer).toMatchObject({ status: 503, body: { code: 'STORE_BUSY' } });
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.headers['retry-after']).toBeDefined();
    expect(api.temporal.submitted).toHaveLength(0);
    expect(record).not.toHaveBeenCalled();
  });

  it('is a problem document when its end cannot be written', async () => {
    vi.spyOn(api.store.journal, 'end').mockRejectedValue(full());
    const answer = await api.call('POST', '/tokens', { body: { name: 'ci', role: 'viewer' } });
    expect(answer).toMatchObject({ status: 507, body: { code: 'STORE_FULL' } });
    expect(answer.text).not.toContain('kw_');
  });

  it('is a problem document when it was refused and the refusal cannot be written', async () => {
    vi.spyOn(api.store.journal, 'record').mockRejectedValue(full());
    vi.spyOn(api.store.journal, 'end').mockRejectedValue(full());
    for (const [url, as] of [
      ['/clusters', null],
      ['/clusters', 'viewer'],
      ['/clusters', 'admin'],
      ['/nowhere', 'admin'],
    ] as const) {
      const answer = await api.call('POST', url, { body: { not: 'a spec' }, as });
      expect(answer, `${url} as ${as}`).toMatchObject({ status: 507, body: { code: 'STORE_FULL' } });
    }
  });
});
