import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { type Json, type TestApi, testApi } from '../support.ts';

const LANDED = readFileSync(join(import.meta.dirname, 'database.sql'), 'utf8');

/** What no version of ours has written yet: a kind, states, codes, fields. A later or an earlier one may have. */
const FOREIGN = `
update operations set kind = 'convert', status = json_set(status, '$.kind', 'convert', '$.fromAfar', 1,
  '$.error.code', 'NO_SUCH_CODE', '$.error.fromAfar', 1, '$.decisions[0].action', 'bless', '$.pause.mode', 'gently',
  '$.health.state', 'dizzy', '$.health.reasons[0].code', 'NO_SUCH_CODE', '$.quarantine[0].fromAfar', 1)
  where json_extract(status, '$.error.code') is not null;
update operations set state = 'resting', status = json_set(status, '$.state', 'resting') where id = 'op-05';
update tasks set status = json_set(status, '$.error.code', 'NO_SUCH_CODE', '$.fromAfar', 1) where state = 'blocked';
update tasks set state = 'resting', status = json_set(status, '$.state', 'resting') where state = 'running';
update clusters set state = 'resting', health = json_set(health, '$.fromAfar', 1, '$.reasons[0].code', 'NO_SUCH_CODE');
update journal set kind = 'dance', result = 'perhaps', changes = replace(changes, '"keep"', '"bless"') where kind = 'exec';
update journal set signal = 'SIGSOMETHING', error = 'NO_SUCH_CODE' where kind = 'issue';
update events set data = json_set(data, '$.fromAfar', 1, '$.state', 'resting');
update specs set document = replace(document, '"worker"', '"entry"');
update tokens set role = 'auditor';
`;

/** An API on a database that the landed version has written; `alter` runs on it before it is opened. */
async function landedApi(alter: string, checked: boolean): Promise<TestApi> {
  const dataDir = mkdtempSync(join(tmpdir(), 'kubewright-landed-'));
  const raw = new DatabaseSync(join(dataDir, 'kubewright.db'));
  raw.exec(`begin; ${LANDED} ${alter} commit;`);
  raw.close();
  return testApi({}, { dataDir, checked });
}

const QUERIES: Readonly<Record<string, readonly string[]>> = {
  '/clusters/{name}/operations/{id}': ['', '?changes=true', '?plan=true'],
  '/clusters/{name}/history': ['', '?limit=200', '?format=ndjson', '?format=csv', '?operation=op-01&events=true'],
  '/clusters/{name}/history/export': ['?operation=op-01'],
  '/audit/history': ['', '?format=ndjson', '?format=csv'],
};

/** Every address that can be read: of each route of the document, for each operation and output that there is. */
async function addresses(api: TestApi): Promise<string[]> {
  const { paths } = (await api.call('GET', '/docs/json')).body as { paths: Record<string, Json> };
  const { items } = (await api.call('GET', '/clusters/demo/operations?limit=100')).body as { items: Json[] };
  const ids = items.map((item) => String(item['operationId']));
  const history = (await api.call('GET', '/clusters/demo/history')).body as { items: Json[] };
  const outputs = new Set(
    history.items.map((item) => item['stdoutSha256']).filter((sha) => /^[0-9a-f]{64}$/.test(String(sha))),
  );
  const values = { name: ['demo'], id: ids, sha: [...outputs] } as Record<string, string[]>;
  return Object.entries(paths)
    .filter(([path, methods]) => 'get' in methods && !path.endsWith('/events'))
    .flatMap(([path]) => {
      const [, last] = /\{(\w+)\}[^{]*$/.exec(path) ?? [];
      const filled = (values[last ?? ''] ?? ['']).map((value) =>
        path.replace(/\{name\}/, 'demo').replace(/\{\w+\}/, value),
      );
      return filled.flatMap((each) => (QUERIES[path] ?? ['']).map((query) => each + query));
    });
}

/** The events of the cluster that are stored, as a stream sends them. */
async function storedEvents(api: TestApi): Promise<string> {
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = api.app.server.address() as { port: number };
  const aborted = new AbortController();
  const headers = { authorization: `Bearer ${api.token.admin}` };
  const answer = await fetch(`http://127.0.0.1:${port}/clusters/demo/events?after=`, {
    headers,
    signal: aborted.signal,
  });
  expect(answer.status).toBe(200);
  const last = await api.store.events.last();
  let text = '';
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes(`id: ${last}\n`)) break;
  }
  aborted.abort();
  return text;
}

/** Addresses that the answer to is no success: what they need is not part of a database. */
const WITHOUT_SUCCESS = /^\/metrics\/worker|^\/sessions\/current|\/history\/export/;

describe('a database of the landed version', () => {
  it('answers every GET, in the shape of the OpenAPI document', async () => {
    const api = await landedApi('', true);
    try {
      for (const url of await addresses(api)) {
        const { status, text } = await api.call('GET', url);
        if (WITHOUT_SUCCESS.test(url)) expect(status, `${url} ${text}`).toBeLessThan(500);
        else expect(status, `${url} ${text}`).toBe(200);
      }
      expect(await storedEvents(api)).toContain('event: task');
    } finally {
      await api.close();
    }
  });

  it('answers every GET also with values and fields that this version does not know', async () => {
    const api = await landedApi(FOREIGN, false);
    try {
      for (const url of await addresses(api)) {
        const { status, text } = await api.call('GET', url);
        if (WITHOUT_SUCCESS.test(url)) expect(status, `${url} ${text}`).toBeLessThan(500);
        else expect(status, `${url} ${text}`).toBe(200);
        expect(text, url).not.toContain('fromAfar');
      }
      expect(await storedEvents(api)).toContain('event: task');
      const { body } = await api.call('GET', '/clusters/demo');
      expect(body).toMatchObject({
        state: 'resting',
        decisions: expect.arrayContaining([expect.objectContaining({ action: 'bless' })]),
      });
      expect((body['blockedHosts'] as Json[])[0]).toMatchObject({ code: 'INTERNAL', host: 'cp-1' });
      const { body: operation } = await api.call('GET', `/clusters/demo/operations/${String(body['operation'])}`);
      expect(operation).toMatchObject({
        kind: 'convert',
        error: { code: 'NO_SUCH_CODE', message: expect.any(String) },
      });
      const { body: page } = await api.call('GET', '/clusters/demo/history?kind=issue');
      expect(page['items']).toEqual([expect.objectContaining({ signal: 'SIGSOMETHING', error: 'NO_SUCH_CODE' })]);
    } finally {
      await api.close();
    }
  });
});
