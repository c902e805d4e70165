import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RawConnection, rawConnection } from '../support/raw-http.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** Issue 9, B1: unknown callers cost no work, and a known caller costs a bounded amount of it. */

let service: ServiceProcess;
beforeAll(async () => {
  service = await startServiceProcess();
});
afterAll(() => service.close());

const manyKeys = (count: number) => Array.from({ length: count }, (_, n) => `key${n}: 1`).join('\n');
const ask = (method: string, path: string, more: { body?: string; type?: string; token?: string } = {}) =>
  fetch(`${service.url}${path}`, {
    method,
    headers: {
      ...(more.type === undefined ? {} : { 'content-type': more.type }),
      ...(more.token === undefined ? {} : { authorization: `Bearer ${more.token}` }),
    },
    ...(more.body === undefined ? {} : { body: more.body }),
  });

/** Answers to /healthz while `work` runs: an event loop that is blocked gives one, when all is over. */
async function answersDuring(work: Promise<unknown>): Promise<{ answers: number; worstMs: number }> {
  let over = false;
  const ended = work.finally(() => {
    over = true;
  });
  let answers = 0;
  let worstMs = 0;
  while (!over) {
    const began = performance.now();
    await (await fetch(`${service.url}/healthz`)).text();
    worstMs = Math.max(worstMs, performance.now() - began);
    if (!over) answers += 1;
    await sleep(5);
  }
  await ended;
  return { answers, worstMs: Math.round(worstMs) };
}

/** The head of a request, with a body that will never come whole. */
const head = (method: string, path: string, headers: readonly string[]): string =>
  [`${method} ${path} HTTP/1.1`, 'Host: kubewright', ...headers, '', ''].join('\r\n');

describe('a request of an unknown caller', () => {
  const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
  const PATHS = ['/clusters', '/clusters/x/pause', '/codec/decode', '/codec/encode', '/no/such/route', '/healthz'];
  const BODIES: readonly (readonly [string, readonly string[], string])[] = [
    ['a length that never comes', ['Content-Type: application/yaml', 'Content-Length: 100000000'], ''],
    ['chunks without an end', ['Content-Type: application/yaml', 'Transfer-Encoding: chunked'], '3\r\na: \r\n'],
    ['no media type', ['Content-Length: 5000'], 'a'],
  ];
  it.each(BODIES)('is answered before its body comes, and its connection closed: %s', async (_what, headers, begin) => {
    for (const method of METHODS) {
      for (const path of PATHS) {
        const connection = await rawConnection(service.port);
        connection.write(head(method, path, headers) + begin);
        const text = await connection.closed;
        connection.close();
        expect(text, `${method} ${path}`).toMatch(/^HTTP\/1\.1 (200|204|401|404|405|429) /);
        expect(text, `${method} ${path}`).toMatch(/\r\nconnection: close\r\n/i);
      }
    }
  });

  it('is not asked for a body by Expect: 100-continue', async () => {
    const expects = ['Content-Type: application/json', 'Content-Length: 20', 'Expect: 100-continue'];
    const unknown = await rawConnection(service.port);
    unknown.write(head('POST', '/clusters', expects));
    expect(await unknown.closed).toMatch(/^HTTP\/1\.1 (401|429) /);

    const known = await rawConnection(service.port);
    known.write(head('POST', '/clusters', [...expects, `Authorization: Bearer ${service.adminToken}`]));
    await expect.poll(() => known.text()).toMatch(/^HTTP\/1\.1 100 Continue/);
    known.write('{"kind": "Cluster" }');
    await expect.poll(() => known.text()).toMatch(/HTTP\/1\.1 422 /);
    known.close();
  });

  it('gets no more bytes read than arrived with its head', async () => {
    const connection = await rawConnection(service.port);
    connection.write(head('OPTIONS', '/codec/decode', ['Content-Type: application/yaml', 'Content-Length: 50000000']));
    const chunk = Buffer.alloc(1024 * 1024, 'a: ');
    for (let sent = 0; sent < 50; sent += 1) connection.write(chunk);
    const text = await connection.closed;
    expect(text).toMatch(/^HTTP\/1\.1 204 /);
    // What the kernel buffers on both sides is some megabytes; the rest was never taken.
    expect(connection.socket.bytesWritten - connection.socket.writableLength).toBeLessThan(25_000_000);
    connection.close();
  });

  it.each([119, 239, 372])('costs no time with %i KB of YAML keys', async (kilobytes) => {
    const body = manyKeys(kilobytes * 80).slice(0, kilobytes * 1024);
    for (const [method, path] of [
      ['OPTIONS', '/codec/decode'],
      ['POST', '/codec/decode'],
      ['POST', '/clusters'],
    ] as const) {
      const began = performance.now();
      const answer = await ask(method, path, { body, type: 'application/yaml' });
      expect([204, 401, 429]).toContain(answer.status);
      process.stdout.write(`B1: ${kilobytes} KB, ${method} ${path}: ${Math.round(performance.now() - began)} ms\n`);
    }
  });
});

describe('the body of a known caller', () => {
  it.each([119, 239, 372, 1000])('%i KB of YAML keys leave the event loop free', async (kilobytes) => {
    // Within the bounds of one object, and of all together: nothing is refused early.
    const body = manyKeys(kilobytes * 80)
      .split('\n')
      .map((line, n) => (n % 500 === 0 ? `group${n}:\n  ${line}` : `  ${line}`))
      .join('\n')
      .slice(0, kilobytes * 1024)
      .replace(/\n[^\n]*$/, '\n');
    const sent = ask('POST', '/clusters', { body, type: 'application/yaml', token: service.adminToken });
    const { answers, worstMs } = await answersDuring(sent);
    process.stdout.write(
      `B1: ${kilobytes} KB by an admin: ${answers} answers meanwhile, the slowest after ${worstMs} ms\n`,
    );
    expect((await sent).status).toBe(422);
    expect(answers).toBeGreaterThan(kilobytes > 200 ? 3 : 0);
  });

  it('180,000 unknown keys are refused without a comparison of words', async () => {
    const body = JSON.stringify(Object.fromEntries(Array.from({ length: 180_000 }, (_, n) => [`k${n}`, 1])));
    const sent = ask('POST', '/clusters', { body, type: 'application/json', token: service.adminToken });
    const { worstMs } = await answersDuring(sent);
    process.stdout.write(`B1: 180,000 keys: slowest answer meanwhile after ${worstMs} ms\n`);
    expect((await (await sent).json()) as object).toMatchObject({
      code: 'DOCUMENT_TOO_COMPLEX',
      detail: expect.stringMatching(/^line 1, column \d+: an object has more than 1000 keys$/),
    });
  });

  it('so are as many problems as the bounds allow', async () => {
    const labels = Object.fromEntries(Array.from({ length: 900 }, (_, n) => [`-bad/${n}`, '-']));
    const hosts = Array.from({ length: 100 }, (_, n) => ({ name: `h${n}`, address: '10.0.0.1', roles: ['x'], labels }));
    const body = JSON.stringify({ apiVersion: 'kubewright.dev/v1alpha1', kind: 'Cluster', spec: { hosts } });
    const sent = ask('POST', '/clusters', { body, type: 'application/json', token: service.adminToken });
    const { worstMs } = await answersDuring(sent);
    process.stdout.write(`B1: 90,000 bad labels, ${body.length} bytes: slowest answer after ${worstMs} ms\n`);
    const answer = (await (await sent).json()) as { errors: unknown[]; status: number };
    expect(answer.status).toBe(422);
    expect(answer.errors.length).toBeLessThanOrEqual(100);
  });

  const YAML = 'application/yaml';
  const JSON_TYPE = 'application/json';
  it.each<[string, string, string, RegExp]>([
    [
      'a key twice',
      YAML,
      'kind: Cluster\nmetadata: {}\nkind: Cluster\n',
      /line 3, column 1: the key `kind` is there twice/,
    ],
    ['a key twice in flow', YAML, 'spec: {a: 1, b: 2, a: 3}\n', /line 1, column 20: the key `a` is there twice/],
    ['a key twice, as number and text', YAML, '1: a\n"1": b\n', /line 2, column 1: the key `1` is there twice/],
    ['a key twice', JSON_TYPE, '{"kind":"a","k\\u0069nd":"b"}', /column 13: the key `kind` is there twice/],
    ['deep lists', YAML, '['.repeat(5_000), /nested too deeply/],
    ['deep lists', JSON_TYPE, '['.repeat(50_000), /nested too deeply/],
    ['deep objects', JSON_TYPE, '{"a":'.repeat(50_000), /nested too deeply/],
    ['many aliases', YAML, `- &a b\n${'- *a\n'.repeat(200)}`, /more than 100 aliases/],
    ['aliases of much', YAML, `a: &a [${'x,'.repeat(5_000)}]\nb: [${'*a,'.repeat(99)}]\n`, /more than 100000 values/],
    ['an anchor in itself', YAML, 'a: &a [*a]\n', /its own anchor|nresolved alias/],
    ['many values', JSON_TYPE, `[${'1,'.repeat(100_000)}1]`, /more than 100000 values/],
    ['a long text', JSON_TYPE, `{"kind":"${'a'.repeat(70_000)}"}`, /longer than 65536 characters/],
    ['a long text', YAML, `kind: "${'a'.repeat(70_000)}"`, /longer than 65536 characters/],
    ['a list as a key', YAML, '? [a]\n: b\n', /a key must be plain text/],
  ])('is refused with its place: %s (%s)', async (_what, type, body, words) => {
    const answer = await ask('POST', '/clusters', { body, type, token: service.adminToken });
    const { code, detail } = (await answer.json()) as { code: string; detail: string };
    expect([400, 413]).toContain(answer.status);
    expect(['SPEC_MALFORMED', 'DOCUMENT_TOO_COMPLEX']).toContain(code);
    expect(detail).toMatch(words);
  });

  it.each([
    ['YAML of more than 1 MiB', 'application/yaml', '/clusters', 1024 * 1024 + 1],
    ['JSON of more than 2 MiB', 'application/json', '/clusters', 2 * 1024 * 1024 + 1],
    ['a command of more than 256 KiB', 'application/json', '/clusters/x/pause', 256 * 1024 + 1],
  ])('has at most a size by type and route: %s', async (_what, type, path, bytes) => {
    const answer = await ask('POST', path, { body: `"${'a'.repeat(bytes)}"`, type, token: service.adminToken });
    expect((await answer.json()) as object).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' });
  });

  it('is taken without content-encoding only', async () => {
    const answer = await fetch(`${service.url}/clusters`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${service.adminToken}`,
        'content-type': 'application/json',
        'content-encoding': 'gzip',
      },
      body: '{}',
    });
    expect((await answer.json()) as object).toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
  });

  it('is not read when the route takes none', async () => {
    const open: RawConnection[] = [];
    for (const [method, path, status] of [
      ['POST', '/codec/session', 204],
      ['DELETE', '/tokens/01abc', 404],
      ['POST', '/no/such/route', 404],
      ['GET', '/clusters', 200],
    ] as const) {
      const connection = await rawConnection(service.port);
      open.push(connection);
      const headers = [
        'Content-Type: application/json',
        'Content-Length: 90000',
        `Authorization: Bearer ${service.adminToken}`,
      ];
      connection.write(`${head(method, path, headers)}{`);
      expect(await connection.closed, `${method} ${path}`).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    }
    for (const connection of open) connection.close();
  });
});
