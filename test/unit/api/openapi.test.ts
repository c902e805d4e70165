import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { scanRoutes } from '../../../api/route.ts';
import { kinds } from '../../support/plans.ts';
import { type Json, type TestApi, testApi } from './support.ts';

const routes = await scanRoutes();

interface Operation {
  operationId?: string;
  summary?: string;
  responses?: Record<string, { description?: string; content?: Json }>;
  parameters?: { name: string; in: string; required?: boolean; schema?: Json }[];
  requestBody?: { content: Record<string, { schema: Json }> };
}

let api: TestApi;
let document: { openapi: string; info: Json; paths: Record<string, Record<string, Operation>>; components?: Json };
beforeAll(async () => {
  api = await testApi();
  document = (await api.call('GET', '/docs/json')).body as unknown as typeof document;
  return () => api.close();
});

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

/** A summary says what the request does. Another verb is fine; a noun alone leaves open what happens. */
const VERBS = [
  'Build Cancel Change Check Confirm Create Decrypt Delete Encrypt End Export Get Give Let List Pause Put Remove Resume',
  'Revoke Run Start Store Stream Update',
]
  .join(' ')
  .split(' ');

describe('the OpenAPI document', () => {
  it('has a verb in each summary and a description of each answer', () => {
    for (const { path, method, operation } of operations()) {
      const where = `${method} ${path}`;
      expect(VERBS, `${where}: ${operation.summary}`).toContain(operation.summary?.split(' ')[0]);
      for (const [status, { description }] of Object.entries(operation.responses ?? {}))
        expect(description, `${where} ${status}`).not.toBe('Default Response');
    }
  });

  it('names every operation once, with answers and problems', () => {
    expect(document.openapi).toBe('3.1.0');
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThanOrEqual(22);
    for (const { path, method, operation } of operations()) {
      const where = `${method} ${path}`;
      expect(operation.summary, where).toBeTruthy();
      const statuses = Object.keys(operation.responses ?? {});
      expect(Object.keys(operation.responses?.['4XX']?.content ?? {}), where).toEqual(['application/problem+json']);
      expect(
        statuses.some((status) => status.startsWith('2')),
        where,
      ).toBe(true);
      expect(statuses, where).toEqual(expect.arrayContaining(['4XX', '5XX']));
      for (const answer of Object.values(operation.responses ?? {})) expect(answer.description, where).toBeTruthy();
    }
  });

  it('declares every parameter of a path', () => {
    for (const { path, method, operation } of operations()) {
      const declared = (operation.parameters ?? []).filter((each) => each.in === 'path').map((each) => each.name);
      const used = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]);
      expect(declared.sort(), `${method} ${path}`).toEqual(used.sort((a, b) => (a! < b! ? -1 : 1)));
    }
  });

  it('has no reference to nowhere', () => {
    const text = JSON.stringify(document);
    for (const [, pointer] of text.matchAll(/"\$ref":"([^"]+)"/g)) {
      expect(pointer).toMatch(/^#\//);
      const target = pointer!
        .slice(2)
        .split('/')
        .reduce<unknown>(
          (value, key) => (value as Json | undefined)?.[key.replaceAll('~1', '/').replaceAll('~0', '~')],
          document,
        );
      expect(target, pointer).toBeDefined();
    }
  });

  it('describes the spec as a body of JSON and YAML', () => {
    const body = document.paths['/clusters']?.['post']?.requestBody?.content ?? {};
    expect(Object.keys(body)).toEqual(['application/json', 'application/yaml', 'application/x-yaml', 'text/yaml']);
    const hosts = JSON.stringify(body['application/yaml']?.schema);
    expect(hosts).toContain('time-server');
  });
});

/** What is wrong with a request schema: strings, lists and numbers without a bound, objects that take any key. */
function unbounded(schema: z.ZodType, path: string): string[] {
  const walk = (json: Json, at: string): string[] => {
    const found: string[] = [];
    const { type } = json;
    const closed = 'enum' in json || 'const' in json;
    if (type === 'string' && !closed && !('maxLength' in json) && !('pattern' in json)) found.push(`${at}: string`);
    if (type === 'array' && !('maxItems' in json)) found.push(`${at}: array`);
    if ((type === 'integer' || type === 'number') && !('maximum' in json)) found.push(`${at}: number`);
    for (const [key, value] of Object.entries((json['properties'] as Json | undefined) ?? {})) {
      found.push(...walk(value as Json, `${at}.${key}`));
    }
    for (const key of ['items', 'additionalProperties', 'propertyNames']) {
      if (typeof json[key] === 'object' && json[key] !== null) found.push(...walk(json[key] as Json, `${at}[${key}]`));
    }
    for (const key of ['anyOf', 'oneOf', 'allOf']) {
      for (const option of (json[key] as Json[] | undefined) ?? []) found.push(...walk(option, `${at}|`));
    }
    return found;
  };
  return walk(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Json, path);
}

describe('route schemas', () => {
  interface Seen {
    url: string;
    method: string;
    schema: Record<string, unknown>;
    role: unknown;
  }
  /** Boots every route on a recorder: no server, no dependencies. */
  function seen(): Seen[] {
    const found: Seen[] = [];
    const record =
      (method: string) => (url: string, options: { schema: Record<string, unknown>; config?: { role?: unknown } }) =>
        found.push({ url, method, schema: options.schema, role: options.config?.role });
    const recorder = {
      get: record('GET'),
      post: record('POST'),
      put: record('PUT'),
      patch: record('PATCH'),
      delete: record('DELETE'),
      // What browsers ask before they ask; not part of the document.
      options: () => undefined,
      addHook: () => undefined,
      validatorCompiler: () => () => ({}),
    };
    const nothing: unknown = new Proxy(
      {},
      {
        get: (_target, key) => (key === 'phases' || key === 'parts' ? [] : key === 'kinds' ? kinds : nothing),
      },
    );
    for (const add of routes) add(recorder as never, nothing as never);
    return found;
  }

  it('bound every string, list and number that a caller sends', () => {
    for (const { url, method, schema } of seen()) {
      for (const part of ['body', 'params', 'querystring', 'headers']) {
        const given = schema[part];
        if (given instanceof z.ZodType) expect(unbounded(given, `${method} ${url} ${part}`)).toEqual([]);
      }
    }
  });

  it('declare a role, an operation id and answers', () => {
    for (const { url, method, schema, role } of seen()) {
      expect(['public', 'viewer', 'operator', 'admin'], `${method} ${url}`).toContain(role);
      expect(schema['operationId'], `${method} ${url}`).toBeTruthy();
      expect(Object.keys((schema['response'] as object | undefined) ?? {}), `${method} ${url}`).toContain('4xx');
      expect(schema['querystring'] === undefined || schema['querystring'] instanceof z.ZodType).toBe(true);
    }
  });

  it('GET never changes anything: it takes no body and is not for operators alone', () => {
    for (const { url, method, schema } of seen()) if (method === 'GET') expect(schema['body'], url).toBeUndefined();
  });

  it('would be seen if they were open', () => {
    const open = z.object({ a: z.string(), b: z.array(z.string().max(3)), c: z.number().min(0) });
    expect(unbounded(open, 'x')).toEqual(['x.a: string', 'x.b: array', 'x.c: number']);
    expect(unbounded(z.object({ a: z.string().max(3), b: z.enum(['x']) }), 'x')).toEqual([]);
  });
});
