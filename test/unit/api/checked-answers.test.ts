import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import rateLimit from '@fastify/rate-limit';
import sse from '@fastify/sse';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CHECKED_HEADER, checkAnswers } from '../../../api/plugins/checked-answers.ts';
import { handleErrors } from '../../../api/plugins/errors.ts';
import { handleNotFound } from '../../../api/plugins/not-found.ts';
import { documentApi } from '../../../api/plugins/openapi.ts';
import { validate } from '../../../api/plugins/validation.ts';
import { responses } from '../../../api/route.ts';
import { problem } from '../../../contracts/problem.ts';
import { differences } from '../../support/answers.ts';
import { type TestApi, testApi } from './support.ts';

const item = z.object({ name: z.string(), at: z.iso.datetime().optional() });
const AT = '2026-01-02T03:04:05.000Z';

describe('an answer that differs from its OpenAPI schema', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-differences-'));
  const file = join(folder, 'answers.log');
  let app: FastifyInstance;
  let answer: unknown;
  let type: string | undefined;
  let status = 200;
  let events: unknown[] = [];
  beforeAll(async () => {
    app = fastify({ logger: false });
    handleErrors(app);
    await app.register(sse.default);
    await app.register(rateLimit, { global: false });
    handleNotFound(app);
    const api = validate(app);
    await documentApi(app);
    checkAnswers(app, file);
    await app.register(async (scope) => {
      const routes = scope as unknown as typeof api;
      routes.get(
        '/items/:id',
        {
          config: {
            media: {
              'application/x-ndjson': item,
              'application/yaml': item,
              'text/csv': z.string().regex(/^name,at\r\n$/),
              'text/plain': z.string().max(5),
              'application/x-tar': z.string(),
            },
          },
          schema: {
            operationId: 'getItem',
            params: z.object({ id: z.string() }),
            produces: ['application/json'],
            response: responses({ 200: item, 204: z.null() }),
          },
        },
        async (_request, reply) => {
          if (type !== undefined) void reply.type(type);
          return reply.code(status as 200).send(answer as never);
        },
      );
      routes.get(
        '/events',
        {
          sse: 'manual',
          exposeHeadRoute: false,
          config: { media: { 'text/event-stream': item } },
          schema: {
            operationId: 'follow',
            produces: ['text/event-stream'],
            response: responses({ 200: z.string() }),
          },
        },
        async (_request, reply) => {
          for (const data of events) await reply.sse.send({ event: 'item', data });
        },
      );
      // It has no description.
      routes.get('/secret', async () => ({ any: 'thing' }));
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
  });
  beforeEach(() => rmSync(file, { force: true }));
  afterAll(async () => {
    await app.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function ask(given: unknown, as?: string, code = 200, method: 'GET' | 'HEAD' = 'GET') {
    [answer, type, status] = [given, as, code];
    const response = await app.inject({ method, url: '/items/1' });
    return { status: response.statusCode, text: response.body };
  }
  const written = () => differences(file).lines;

  it('passes when it is the same', async () => {
    expect(await ask({ name: 'a', at: AT })).toMatchObject({ status: 200 });
    expect(await ask({ name: 'a', at: AT }, undefined, 200, 'HEAD')).toEqual({ status: 200, text: '' });
    expect(await ask(null, undefined, 204)).toEqual({ status: 204, text: '' });
    expect(await ask('name: a\n', 'application/yaml')).toMatchObject({ status: 200 });
    expect(await ask('short', 'text/plain')).toMatchObject({ status: 200 });
    expect(await ask(Readable.from([Buffer.from([0, 1])]), 'application/x-tar')).toMatchObject({ status: 200 });
    const lines = [JSON.stringify({ name: 'a' }), '', JSON.stringify({ name: 'b', at: AT }), ''].join('\n');
    expect(await ask(Readable.from([lines]), 'application/x-ndjson')).toEqual({ status: 200, text: lines });
    const table = ['name,at\r\n', 'a,\r\n'];
    expect(await ask(Readable.from(table), 'text/csv')).toEqual({ status: 200, text: table.join('') });
    expect(written()).toEqual([]);
  });

  it.each([
    ['has an unknown field', { name: 'a', more: 1 }, undefined, 'more'],
    ['has another type', { name: 1 }, undefined, '/name'],
    ['has another format', { name: 'a', at: 'yesterday' }, undefined, '/at'],
    ['lacks a field', {}, undefined, 'name'],
    ['is YAML with an unknown field', 'name: a\nmore: 1\n', 'application/yaml', 'more'],
    ['is a text that is too long', 'too long', 'text/plain', 'more than 5'],
    ['is of another media type', 'name', 'text/html', 'text/html is not in the OpenAPI document'],
    [
      'is bytes of another media type',
      Readable.from(['x']),
      'application/zip',
      'application/zip is not in the OpenAPI',
    ],
    ['has no body', null, 'application/json', 'must be object'],
  ])('becomes a 500 and a line when it %s', async (_what, given, as, named) => {
    const answered = await ask(given, as);
    expect(answered.status).toBe(500);
    expect(JSON.parse(answered.text)).toMatchObject({ code: 'INTERNAL', detail: expect.stringContaining(named) });
    expect(written()).toEqual([expect.stringContaining(named)]);
    expect(written()[0]).toContain('GET /items/:id 200');
  });

  it.each([201, 302, 304])('becomes a 500 when its status, %i, is not there', async (code) => {
    expect(await ask({ name: 'a' }, undefined, code)).toMatchObject({ status: 500 });
    expect(written()).toEqual([expect.stringContaining(`${code} is not in the OpenAPI document`)]);
  });

  it('becomes a 500 for HEAD as well', async () => {
    expect(await ask('x', 'text/html', 200, 'HEAD')).toMatchObject({ status: 500 });
    expect(written()).toEqual([expect.stringContaining('HEAD /items/:id 200 text/html')]);
  });

  it('becomes a 500 when it is an error of another shape', async () => {
    expect(await ask({ error: 'no' }, 'application/problem+json', 404)).toMatchObject({ status: 500 });
    expect(await ask({ error: 'no' }, 'application/json', 404)).toMatchObject({ status: 500 });
    expect(written()).toHaveLength(2);
  });

  it('becomes a 500 when its route is not described', async () => {
    expect((await app.inject({ method: 'GET', url: '/secret' })).statusCode).toBe(500);
    expect(written()).toEqual([
      expect.stringContaining('GET /secret 200 application/json is not in the OpenAPI document'),
    ]);
  });

  it.each([
    [
      'NDJSON',
      'application/x-ndjson',
      [{ name: 'a' }, { name: 'b', more: 1 }].map((each) => `${JSON.stringify(each)}\n`),
    ],
    ['a table with other columns', 'text/csv', ['name,more\r\n', 'a,1\r\n']],
  ])('is cut when it is a stream: %s', async (_what, as, lines) => {
    const cut = await ask(Readable.from(lines), as).catch((error: unknown) => String(error));
    expect(JSON.stringify(cut)).not.toContain('more');
    expect(written()).toHaveLength(1);
  });

  it('is cut when it is an event', async () => {
    const { port } = app.server.address() as { port: number };
    events = [{ name: 'a' }, { name: 'b', more: 1 }, { name: 'c' }];
    await expect(fetch(`http://127.0.0.1:${port}/events`).then((cut) => cut.text())).rejects.toThrow();
    expect(written()).toEqual([expect.stringContaining('GET /events 200 text/event-stream')]);
    events = [{ name: 'a' }];
    const answered = await fetch(`http://127.0.0.1:${port}/events`);
    expect(answered.headers.get(CHECKED_HEADER)).toBe('1');
    expect(await answered.text()).toContain('data: {"name":"a"}');
    expect(written()).toHaveLength(1);
  });

  it('passes for addresses that are not there, which answer with problem documents', async () => {
    expect((await app.inject({ method: 'GET', url: '/nothing' })).json()).toMatchObject({ code: 'NOT_FOUND' });
    expect((await app.inject({ method: 'PUT', url: '/items/1' })).json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' });
    expect(written()).toEqual([]);
  });
});

describe('what no route answers', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await testApi();
    return () => api.close();
  });

  it('is a problem document too, and nothing else', async () => {
    const strict = z.strictObject(problem.shape);
    const { body } = await api.call('GET', '/clusters/%zz');
    expect(strict.parse(body)).toMatchObject({ code: 'BAD_REQUEST' });
    await api.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = api.app.server.address() as { port: number };
    const text = await new Promise<string>((resolve, reject) => {
      let said = '';
      const socket = connect(port, '127.0.0.1', () => socket.write('this is not HTTP\r\n\r\n'));
      socket.setEncoding('utf8').on('data', (data: string) => {
        said += data;
      });
      socket.on('close', () => resolve(said)).on('error', reject);
    });
    expect(strict.parse(JSON.parse(text.slice(text.indexOf('{'))))).toMatchObject({ code: 'BAD_REQUEST' });
  });
});
