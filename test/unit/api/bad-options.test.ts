import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import type { SpecDraft } from '../../matrix/kit/case.ts';
import type { BadOption } from './bad-options.ts';
import { host, type Json, spec, type TestApi, testApi } from './support.ts';

/** Every bad option of every choice, by the files of bad-options/: POSTs each row and reads code, place and sentence. */
const FOLDER = new URL('./bad-options/', import.meta.url);
const tables = await Promise.all(
  readdirSync(FOLDER)
    .sort()
    .map(async (file) => {
      const { default: rows } = (await import(new URL(file, FOLDER).href)) as { default: readonly BadOption[] };
      return [file.replace(/\.ts$/, ''), rows] as const;
    }),
);

let api: TestApi;
beforeAll(async () => {
  api = await testApi({ phases: await loadPhases() });
  return () => api.close();
});
afterAll(() => {
  expect(api.temporal.submitted.length, 'only the good spec may start a workflow').toBeLessThanOrEqual(1);
});

const draft = (): Json =>
  spec({ phases: {}, artifacts: { mirror: 'http://mirror.test:8081' } }, [
    host({ roles: ['control-plane', 'etcd', 'worker', 'registry', 'time-server'] }),
    host({ name: 'worker-1', address: '10.0.0.2', roles: ['worker'] }),
    host({ name: 'worker-2', address: '10.0.0.3', roles: ['worker'] }),
  ]);
const post = (body: Json, query = '') => api.call('POST', `/clusters${query}`, { body });

it('accepts the spec that the rows begin with', async () => {
  expect((await post(draft())).status).toBe(202);
});

describe.each(tables)('%s', (_, rows) => {
  it.each(rows.map((row) => [row.title, row] as const))('refuses %s', async (_title, row) => {
    const body = draft();
    row.spec(body['spec'] as SpecDraft);
    for (const query of ['', '?dryRun=true']) {
      const answer = await post(body, query);
      expect(answer.body, answer.text).toMatchObject({
        code: row.code,
        errors: expect.arrayContaining([{ path: row.path, message: expect.stringMatching(row.message) }]),
      });
      expect(answer.status).toBe(422);
    }
  });
});
