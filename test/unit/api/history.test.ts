import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { csvCell } from '../../../api/history-stream.ts';
import { verifyBundle } from '../../../audit/verify-bundle.ts';
import { begun, ended } from '../store/journal-contract.ts';
import { type Json, spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
});
afterAll(() => api.close());

const items = (body: Json) => body['items'] as Json[];
const auditRecord = async (cluster: string) => (await api.store.journal.list({ cluster, limit: 100 })).items;

describe('the records of requests', () => {
  it('holds what was asked, by whom, and what we answered', async () => {
    const made = await api.call('POST', '/clusters', { body: spec(), as: 'operator' });
    expect(made.status).toBe(202);
    expect(await auditRecord('demo')).toMatchObject([
      {
        ...{ kind: 'request', actor: 'operator', operation: made.body['operation'], exitCode: 202, result: 'ok' },
        ...{ requestId: made.headers['x-request-id'], argv: ['POST', '/clusters', 'from 127.0.0.1'] },
        stdinSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      },
    ]);
  });

  it('holds what was refused: by role, by rule, by form', async () => {
    await api.call('POST', '/clusters/demo/pause', { as: 'viewer' });
    await api.call('POST', '/clusters/demo/pause', { body: { mode: 'never' } });
    await api.call('POST', '/clusters/demo/hosts/cp-1/retry', { body: {} });
    const seen = (await auditRecord('demo'))
      .slice(1)
      .map(({ kind, actor, exitCode, result, error }) => [kind, actor, exitCode, result, error]);
    expect(seen[0]).toEqual(['request', 'viewer', 403, 'refused', 'FORBIDDEN']);
    expect(seen[1]).toEqual(['request', 'admin', 400, 'refused', 'BAD_REQUEST']);
    expect(seen[2]!.slice(0, 2)).toEqual(['decision', 'admin']);
  });

  it('of a flood without a token is bounded', async () => {
    for (let n = 0; n < 400; n += 1) await api.call('POST', '/clusters', { as: null });
    const written = (await api.store.journal.list({ cluster: '', actor: 'anonymous', limit: 1000 })).items;
    expect(written.length).toBeGreaterThan(10);
    expect(written.length).toBeLessThanOrEqual(330);
  });

  it('keeps no digest of a body that holds a secret', async () => {
    await api.call('PUT', '/credentials/key', { body: { kind: 'password', password: 'hunter2' } });
    const [put] = items((await api.call('GET', '/audit/history?actor=admin')).body);
    expect((await api.call('GET', '/audit/history', { as: 'operator' })).status).toBe(403);
    expect(put).toMatchObject({
      argv: ['PUT', '/credentials/key', 'from 127.0.0.1'],
      stdinSha256: null,
      exitCode: 200,
    });
  });
});

describe('history', () => {
  it('filters, as pages and as files', async () => {
    await api.store.journal.record(begun('demo', { host: 'w-1', argv: ['=cmd()', 'a,"b"'] }), ended({ code: 3 }));
    const of = async (query: string) => items((await api.call('GET', `/clusters/demo/history?${query}`)).body).length;
    expect(await of('host=w-1')).toBe(1);
    expect(await of('host=w-1&result=ok')).toBe(0);
    expect(await of('kind=exec&actor=admin&since=2026-11-21T12:00:00Z&until=2026-11-21T12:00:01Z')).toBe(1);
    expect(await of('result=refused&kind=request')).toBe(2);
    expect((await api.call('GET', '/clusters/demo/history?since=yesterday')).status).toBe(400);

    const lines = (await api.call('GET', '/clusters/demo/history?format=ndjson&host=w-1')).text.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as Json)).toMatchObject([
      { host: 'w-1', exitCode: 3, result: 'failed' },
    ]);
    const csv = await api.call('GET', '/clusters/demo/history?host=w-1', { headers: { accept: 'text/csv' } });
    expect(csv.headers['content-type']).toContain('text/csv');
    expect(csv.text.split('\r\n')).toHaveLength(3);
  });

  it('is shown without control characters, with the same text in each format', async () => {
    const evil = '\u009b31m\u202egnp.exe\u2028{"level":30}\u2029\u0085\u007f\ufeff\u001b[2J\r\n=cmd()';
    await api.store.journal.record(
      begun('demo', {
        host: 'w-66',
        argv: ['echo', evil],
        changes: [{ resource: 'x', action: 'update', detail: evil }],
      }),
      ended({ stdout: evil }),
    );
    // oxlint-disable-next-line no-control-regex -- these are what is looked for
    const acting = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028-\u202e\ufeff]/;
    for (const format of ['json', 'ndjson', 'csv']) {
      const { text } = await api.call('GET', `/clusters/demo/history?host=w-66&format=${format}`);
      expect(text, format).not.toMatch(acting);
      if (format === 'csv') expect(text.split('\r\n')).toHaveLength(3);
      else {
        const parsed = JSON.parse(text) as Json;
        const item = format === 'json' ? items(parsed)[0]! : parsed;
        expect(item).toMatchObject({ argv: ['echo', evil], changes: [{ detail: evil }] });
        const output = await api.call('GET', `/clusters/demo/history/output/${item['stdoutSha256'] as string}`);
        // oxlint-disable-next-line no-control-regex -- these are what is looked for
        expect(output.text).not.toMatch(/[\u001b\u009b\u202e]/);
      }
    }
  });

  it('cells of a spreadsheet run nothing', () => {
    expect(csvCell('=1+1')).toBe(`"'=1+1"`);
    expect(csvCell(' @sum')).toBe(`"' @sum"`);
    expect(csvCell('-rf')).toBe(`"'-rf"`);
    expect(csvCell('plain')).toBe('plain');
    expect(csvCell('a"b')).toBe('"a""b"');
    expect(csvCell('\u001b[31mred\r\n')).toBe('"\\u001b[31mred\\r\\n"');
    expect(csvCell(-5)).toBe('-5');
  });

  it('can be followed, and gone on with', async () => {
    const from = await api.store.journal.position();
    await api.store.journal.record(begun('demo', { host: 'w-7' }), ended());
    const url = await api.app.listen({ host: '127.0.0.1', port: 0 });
    const stop = new AbortController();
    const response = await fetch(`${url}/clusters/demo/history?follow=true&after=${from}&host=w-7`, {
      headers: { authorization: `Bearer ${api.token.viewer}` },
      signal: stop.signal,
    });
    let text = '';
    for await (const chunk of response.body!) {
      text += Buffer.from(chunk).toString('utf8');
      if (text.includes('"part":"end"')) break;
    }
    stop.abort();
    const seen = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    expect(seen.map(({ part, pos }) => [part, pos])).toEqual([
      ['begin', from + 1],
      ['end', from + 2],
    ]);
  });
});

describe('a followed history', () => {
  it('of an operation ends when that was sealed', async () => {
    await api.call('POST', '/clusters', { body: spec({}, undefined, { name: 'short' }) });
    const { operationId, ...status } = (await api.store.projections.latestOperation('short'))!;
    const url = `/clusters/short/history?follow=true&after=0&operation=${operationId}`;
    const answer = api.call('GET', url);
    const close = { ...begun('short', { operation: operationId }), kind: 'operation' as const, argv: ['close'] };
    await api.store.journal.record(close, ended({ code: null, stdout: '', stdoutBytes: 0 }));
    await api.store.projections.saveOperation({ ...status, operationId, state: 'succeeded' });
    await api.deps.bundleBuilder.bundle('short', operationId);
    expect((await answer).text).toContain('"argv":["close"]');
    expect((await api.call('GET', url)).text).toContain('"argv":["close"]');
  });

  it('is of a cluster, without refused requests that name it: those are in the history of the installation', async () => {
    await api.call('POST', '/clusters/ghost/pause', { body: {} });
    expect((await api.call('GET', '/clusters/ghost/history')).status).toBe(404);
    const { text } = await api.call('GET', '/audit/history?order=newest');
    expect(text).toContain('"cluster=ghost"');
    expect((await api.call('GET', '/clusters/ghost/history?follow=true')).status).toBe(404);
  });

  it('is not read for a HEAD request', async () => {
    const { journal } = api.store;
    const [follow, list] = [vi.spyOn(journal, 'follow'), vi.spyOn(journal, 'list')];
    for (const query of ['follow=true', 'format=ndjson', 'format=csv']) {
      const answer = await api.call('HEAD', `/clusters/demo/history?host=head&${query}`);
      expect(answer).toMatchObject({ status: 200, text: '' });
      expect(answer.headers['content-type']).toMatch(/ndjson|csv/);
    }
    await new Promise(setImmediate);
    // Another test's stream may still be ending.
    expect([...follow.mock.calls, ...list.mock.calls].filter(([{ host }]) => host === 'head')).toEqual([]);
    vi.restoreAllMocks();
  });
});

describe('export', () => {
  it('is one signed file, only of what is over', async () => {
    const { operation } = (await api.call('POST', '/clusters', { body: spec() })).body as { operation: string };
    expect((await api.call('GET', `/clusters/demo/history/export?operation=${operation}`)).status).toBe(409);
    const status = (await api.store.projections.operation('demo', operation))!;
    const close = { ...begun('demo', { operation, argv: ['close', 'succeeded'] }), kind: 'operation' as const };
    await api.store.journal.record(close, ended({ code: null, stdout: '', stdoutBytes: 0 }));
    await api.store.projections.saveOperation({ ...status, state: 'succeeded' });
    expect(
      (await api.call('GET', `/clusters/demo/history/export?operation=${operation}`, { as: 'viewer' })).status,
    ).toBe(403);

    const answer = await api.app.inject({
      url: `/clusters/demo/history/export?operation=${operation}`,
      headers: { authorization: `Bearer ${api.token.operator}` },
    });
    expect(answer.headers).toMatchObject({ 'content-disposition': `attachment; filename="demo-${operation}.tar"` });
    const folder = mkdtempSync(join(tmpdir(), 'kubewright-export-'));
    writeFileSync(join(folder, 'bundle.tar'), answer.rawPayload);
    const { text: publicKey } = await api.call('GET', '/audit/key', { as: 'viewer' });
    expect(verifyBundle(join(folder, 'bundle.tar'), { publicKey })).toMatchObject({ problems: [], operation });
    rmSync(folder, { recursive: true });
  });
});
