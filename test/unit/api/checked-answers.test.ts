import { Readable } from 'node:stream';
import sse from '@fastify/sse';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkAnswers } from '../../../api/plugins/checked-answers.ts';
import { handleErrors } from '../../../api/plugins/errors.ts';
import { documentApi } from '../../../api/plugins/openapi.ts';
import { validate } from '../../../api/plugins/validation.ts';
import { responses } from '../../../api/route.ts';
import { type Json, type TestApi, testApi } from './support.ts';

const item = z.object({ name: z.string(), at: z.iso.datetime().optional() });
const AT = '2026-01-02T03:04:05.000Z';

describe('an answer that differs from its OpenAPI schema', () => {
  let app: FastifyInstance;
  let answer: unknown;
  let type: string | undefined;
  let status = 200;
  beforeAll(async () => {
    app = fastify({ logger: false });
    handleErrors(app);
    await app.register(sse.default);
    const api = validate(app);
    await documentApi(app);
    checkAnswers(app);
    await app.register(async (scope) => {
      (scope as unknown as typeof api).get(
        '/items/:id',
        {
          config: { media: { 'application/x-ndjson': item } },
          schema: {
            operationId: 'getItem',
            params: z.object({ id: z.string() }),
            produces: ['application/json', 'application/x-ndjson'],
            response: responses({ 200: item }),
          },
        },
        async (_request, reply) => {
          if (type !== undefined) void reply.type(type);
          return reply.code(status as 200).send(answer as never);
        },
      );
    });
    await app.ready();
  });
  afterAll(() => app.close());

  async function ask(given: unknown, as?: string, code = 200) {
    [answer, type, status] = [given, as, code];
    const response = await app.inject({ method: 'GET', url: '/items/1' });
    return { status: response.statusCode, text: response.body };
  }

  it('passes when it is the same', async () => {
    expect(await ask({ name: 'a', at: AT })).toMatchObject({ status: 200 });
    const lines = [JSON.stringify({ name: 'a' }), '', JSON.stringify({ name: 'b', at: AT }), ''].join('\n');
    expect(await ask(Readable.from([lines]), 'application/x-ndjson')).toEqual({ status: 200, text: lines });
  });

  it.each([
    ['has an unknown field', { name: 'a', more: 1 }, 'more'],
    ['has another type', { name: 1 }, 'GET /items/:id 200'],
    ['has another format', { name: 'a', at: 'yesterday' }, 'at'],
    ['lacks a field', {}, 'name'],
  ])('becomes a 500 when it %s', async (_what, given, named) => {
    // What the serializer refuses by itself is a 500 too; its words stay in the log.
    const answered = await ask(given);
    expect(answered.status).toBe(500);
    expect(answered.text).toContain(named);
  });

  it('becomes a 500 when its status or media type is not there', async () => {
    expect((await ask({ name: 'a' }, undefined, 201)).text).toContain('is not in the OpenAPI document');
    expect((await ask('name,at', 'text/csv')).text).toContain('text/csv is not in the OpenAPI document');
  });

  it('is cut when it is a stream', async () => {
    const lines = [`${JSON.stringify({ name: 'a' })}\n`, `${JSON.stringify({ name: 'b', more: 1 })}\n`];
    const cut = await ask(Readable.from(lines), 'application/x-ndjson').catch((error: unknown) => String(error));
    expect(JSON.stringify(cut)).not.toContain('more":1');
    expect(JSON.stringify(cut)).not.toContain('\\"more\\":1');
  });
});

describe('the OpenAPI document', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await testApi();
    return () => api.close();
  });

  it('names every field of answers: only what is of another system takes any', async () => {
    const { paths } = (await api.call('GET', '/docs/json')).body as { paths: Record<string, Record<string, Json>> };
    const open: string[] = [];
    const walk = (value: unknown, at: string): void => {
      if (typeof value !== 'object' || value === null) return;
      const { type, additionalProperties } = value as Json;
      if (type === 'object' && additionalProperties !== false) open.push(at);
      for (const [key, inner] of Object.entries(value)) if (key !== 'examples') walk(inner, `${at}/${key}`);
    };
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const answers = operation['responses'] as Record<string, { content?: Record<string, { schema: unknown }> }>;
        for (const [status, { content = {} }] of Object.entries(answers)) {
          const { schema } = Object.values(content)[0] ?? {};
          walk(schema, `${method} ${path} ${status}`);
        }
      }
    }
    const known = [/taskCounts$/, /\/causes$/, /\/spec$/, /\/options$/, /kubeconfig/, /\/codec\//];
    expect(open.filter((at) => !known.some((each) => each.test(at)))).toEqual([]);
  });

  it('has every field of a record of the journal', async () => {
    const { paths } = (await api.call('GET', '/docs/json')).body as { paths: Record<string, Json> };
    const text = JSON.stringify((paths['/clusters/{name}/history'] as Json)['get']);
    for (const field of ['actor', 'result', 'changes', 'requestId', 'signal', 'interrupted', 'hostKeyFingerprint']) {
      expect(text).toContain(`"${field}":{`);
    }
  });
});
