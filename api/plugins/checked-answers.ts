import { Readable } from 'node:stream';
import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { KubewrightError } from '../../contracts/errors.ts';

type Schema = Record<string, unknown>;
type Contents = Record<string, { schema?: Schema }>;
type Paths = Record<string, Record<string, { responses?: Record<string, { content?: Contents }> }>>;

const JSON_TYPES = /^application\/([a-z.]+\+)?json$/;
/** Streams whose every line, or event, is a JSON document. */
const LINE_TYPES: ReadonlySet<string> = new Set(['application/x-ndjson', 'text/event-stream']);

/**
 * For tests: every answer is compared with the OpenAPI document: status, media type, each field and its format; fields
 * that the document lacks are refused. An answer that differs becomes a 500 that names the field; a stream is cut.
 * To be registered before the routes.
 */
export function checkAnswers(app: FastifyInstance): void {
  const ajv = new Ajv2020({ strict: false, allErrors: false });
  // The module is CommonJS: its types name the function `default`.
  (addFormats as unknown as (instance: Ajv2020) => void)(ajv);
  const compiled = new Map<Schema, ValidateFunction>();

  const contentsOf = (request: FastifyRequest, status: number): Contents | null => {
    const path = (request.routeOptions.url ?? '').replace(/:([A-Za-z]+)/g, '{$1}');
    const method = request.method === 'HEAD' ? 'get' : request.method.toLowerCase();
    const answers = (app.swagger() as { paths?: Paths }).paths?.[path]?.[method]?.responses;
    const answer = answers?.[status] ?? answers?.[`${Math.floor(status / 100)}XX`];
    return answer === undefined ? null : (answer.content ?? {});
  };

  function check(request: FastifyRequest, reply: FastifyReply, type: string, value: unknown): void {
    const contents = contentsOf(request, reply.statusCode);
    if (reply.statusCode === 204 && contents !== null) return;
    const where = `${request.method} ${request.routeOptions.url ?? request.url} ${reply.statusCode} ${type}`;
    const schema = contents?.[type]?.schema;
    if (schema === undefined) throw differs(`${where} is not in the OpenAPI document`);
    if (value === undefined) return;
    let validate = compiled.get(schema);
    if (validate === undefined) {
      validate = ajv.compile(schema);
      compiled.set(schema, validate);
    }
    if (validate(value)) return;
    const [first] = validate.errors ?? [];
    throw differs(
      `${where}: ${first?.instancePath || '/'} ${first?.message ?? 'differs'} ${JSON.stringify(first?.params)}`,
    );
  }

  const described = (request: FastifyRequest) =>
    request.routeOptions.schema !== undefined && 'operationId' in request.routeOptions.schema;

  // What the handler returned: the serializer leaves out what the schema lacks.
  app.addHook('preSerialization', async (request, reply, payload) => {
    if (described(request)) {
      const type = mediaType(reply) || 'application/json';
      if (JSON_TYPES.test(type)) check(request, reply, type, JSON.parse(JSON.stringify(payload)));
    }
    return payload;
  });

  app.addHook('onSend', async (request, reply, payload) => {
    if (!described(request) || reply.statusCode === 304 || payload === null || payload === undefined) return payload;
    const type = mediaType(reply);
    if (payload instanceof Readable) {
      check(request, reply, type, undefined);
      if (!LINE_TYPES.has(type)) return payload;
      return Readable.from(
        checkedLines(payload, (value) => {
          try {
            check(request, reply, type, value);
          } catch (error) {
            request.log.error({ err: error }, 'a line of a stream is not what the OpenAPI document says');
            throw error;
          }
        }),
      );
    }
    if (request.method === 'HEAD' || payload === '') return payload;
    const value: unknown = JSON_TYPES.test(type) ? JSON.parse(payload as string) : undefined;
    check(request, reply, type, value);
    return payload;
  });

  app.addHook('preHandler', async (request, reply) => {
    const { sse } = reply as Partial<FastifyReply>;
    if (sse === undefined || !described(request)) return;
    const send = sse.send.bind(sse);
    sse.send = async (source) => {
      const { data } = source as { data?: unknown };
      if (data !== undefined) check(request, reply, 'text/event-stream', JSON.parse(JSON.stringify(data)));
      return send(source);
    };
  });
}

const differs = (message: string) => new KubewrightError('INTERNAL', `answer and OpenAPI differ: ${message}`);

const mediaType = (reply: FastifyReply): string =>
  String(reply.getHeader('content-type') ?? '')
    .split(';')[0]!
    .trim();

/** The same stream; each line that is a JSON document, or the data of an event, is shown to `see` before it is sent. */
async function* checkedLines(source: Readable, see: (value: unknown) => void): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of source) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const json = line.startsWith('data: ') ? line.slice('data: '.length) : line;
      if (json.startsWith('{')) see(JSON.parse(json));
    }
    yield String(chunk);
  }
}
