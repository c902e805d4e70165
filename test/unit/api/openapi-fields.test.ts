import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { journalRecord, RECORD_FIELDS } from '../../../contracts/record.ts';
import { operationStatus, taskStatus } from '../../../contracts/status.ts';
import { type Json, type TestApi, testApi } from './support.ts';

/** JSON Schema, as far as it is looked at. */
interface Described {
  properties?: Record<string, Described>;
  items?: Described;
  anyOf?: Described[];
  pattern?: string;
}

describe('the fields of the OpenAPI document', () => {
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
          for (const [type, { schema }] of Object.entries(content)) walk(schema, `${method} ${path} ${status} ${type}`);
        }
      }
    }
    const known = [/taskCounts$/, /\/causes$/, /\/spec$/, /\/options$/, /\/codec\//, /^get \/schemas\/cluster /];
    expect(open.filter((at) => !known.some((each) => each.test(at)))).toEqual([]);
  });

  /** What the document has at a route's answer of 200, by media type. */
  async function answer(path: string): Promise<Record<string, Described>> {
    const { paths } = (await api.call('GET', '/docs/json')).body as {
      paths: Record<string, { get: { responses: Record<string, { content: Record<string, { schema: Described }> }> } }>;
    };
    const { content } = paths[path]!.get.responses['200']!;
    return Object.fromEntries(Object.entries(content).map(([type, { schema }]) => [type, schema]));
  }
  const fields = ({ properties = {} }: Described) => Object.keys(properties).sort();
  const items = (page: Described) => page.properties!['items']!.items!;
  const asJson = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'output' }) as Described;

  it('has the fields of the record in history, NDJSON, events and CSV', async () => {
    const names: readonly string[] = RECORD_FIELDS;
    const record = asJson(journalRecord).properties;
    const history = await answer('/clusters/{name}/history');
    const audit = await answer('/audit/history');
    expect(items(audit['application/json']!).properties).toEqual(record);
    const { eventId, ...item } = items(history['application/json']!).properties!;
    expect({ item, eventId }).toEqual({ item: record, eventId: expect.anything() });
    for (const { 'application/x-ndjson': line, 'text/csv': table } of [history, audit]) {
      const { pos, part, ...rest } = line!.properties!;
      expect({ rest, pos, part }).toEqual({ rest: record, pos: expect.anything(), part: expect.anything() });
      expect(table!.pattern).toContain(names.join(','));
    }
    expect(history['text/event-stream']!.properties).toEqual(record);
  });

  it('has the fields of the status in details, lists and events of operations', async () => {
    const names = fields(asJson(operationStatus));
    const detail = (await answer('/clusters/{name}/operations/{id}'))['application/json']!;
    const more = ['changes', 'durationMs', 'plan', 'taskCounts', 'tasksNext'];
    expect(fields(detail)).toEqual([...names, ...more].sort());
    const listed = items((await answer('/clusters/{name}/operations'))['application/json']!);
    expect(fields(listed)).toEqual([...names, 'taskCounts'].sort());
    const { anyOf = [] } = (await answer('/clusters/{name}/events'))['text/event-stream']!;
    const [, , head, task] = anyOf.map(fields);
    expect(head).toEqual(names.filter((name) => name !== 'tasks'));
    expect(task).toEqual([...fields(asJson(taskStatus)), 'operationId', 'cluster'].sort());
    const tasks = items((await answer('/clusters/{name}/operations/{id}/tasks'))['application/json']!);
    expect(fields(tasks)).toEqual([...fields(asJson(taskStatus)), 'changes'].sort());
    // What a cluster shows of its operation is that of the status.
    const cluster = (await answer('/clusters/{name}'))['application/json']!.properties!;
    const status = asJson(operationStatus).properties!;
    for (const name of ['quarantinedHosts', 'version', 'decisions']) expect(cluster[name]).toEqual(status[name]);
  });
});
