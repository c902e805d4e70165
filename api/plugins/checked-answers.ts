import { appendFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { KubewrightError } from '../../contracts/errors.ts';
import { PROBLEM_TYPE, problem } from '../../contracts/problem.ts';
import { problemPayload } from './errors.ts';

type Schema = Record<string, unknown>;
type Contents = Record<string, { schema?: Schema }>;
type Answers = Record<string, { content?: Contents }>;
type Paths = Record<string, Record<string, { responses?: Answers }>>;

/** Set on every answer of a service that checks its answers: tests ask for it, lest a service be started without. */
export const CHECKED_HEADER = 'x-answers-checked';

const JSON_TYPE = /^application\/([a-z.]+\+)?json$/;
/** Streams whose every line, or event, is a JSON document. */
const LINE_TYPES: ReadonlySet<string> = new Set(['application/x-ndjson', 'text/event-stream']);

/** Answers of addresses that no route has. */
const PROBLEM = { content: { [PROBLEM_TYPE]: { schema: z.toJSONSchema(problem, { io: 'output' }) as Schema } } };
const UNROUTED: Answers = { '4XX': PROBLEM, '5XX': PROBLEM };

/**
 * For tests: compares every answer with the OpenAPI document: status, media type, each field and its format. A field, a
 * status or a media type that the document lacks is a difference as well. An answer that differs becomes a 500 with the
 * path of the field; a stream is cut. Each difference is a line of `file`, which fails the test run, since a client may
 * ignore a 500. To be registered behind all hooks that change answers, and before the routes.
 */
export function checkAnswers(app: FastifyInstance, file: string): void {
  const ajv = new Ajv2020({ strict: false, allErrors: false });
  // The module is CommonJS: its types name the function `default`.
  (addFormats as unknown as (instance: Ajv2020) => void)(ajv);
  const compiled = new Map<Schema, ValidateFunction>();
  const reported = new WeakSet<FastifyRequest>();

  /** What the document says of a route's answers; null: the answer is of no API, but of the page that shows the document. */
  function answersOf({ is404, method, routeOptions }: FastifyRequest): Answers | null {
    const { url = '', schema } = routeOptions;
    if (is404) return UNROUTED;
    // Pages for browsers.
    if (url === '/' || /^\/(?:docs|ui)(\/|$)/.test(url)) return null;
    // What browsers ask before a request: no body.
    if (method === 'OPTIONS' && schema?.hide === true) return { ...UNROUTED, '204': {} };
    const path = url.replace(/:([A-Za-z]+)/g, '{$1}');
    const name = method === 'HEAD' ? 'get' : method.toLowerCase();
    return (app.swagger() as { paths?: Paths }).paths?.[path]?.[name]?.responses ?? {};
  }

  /** Throws when the value, or an answer of this status and media type at all, is not in the document. */
  function compare(request: FastifyRequest, reply: FastifyReply, type: string, value: unknown): void {
    const answers = answersOf(request);
    if (answers === null) return;
    const status = reply.statusCode;
    const answer = answers[status] ?? answers[`${Math.floor(status / 100)}XX`];
    const where = `${request.method} ${request.routeOptions.url ?? request.url} ${status}`;
    if (answer === undefined) throw differs(`${where} is not in the OpenAPI document`);
    // Node sends no body with it, whatever it is given.
    if (status === 204) return;
    const schema = answer.content?.[type]?.schema;
    if (schema === undefined)
      throw differs(`${where} ${type || 'without a media type'} is not in the OpenAPI document`);
    if (value === UNREAD) return;
    if (value === NO_BODY) throw differs(`${where} ${type} has no body`);
    let validate = compiled.get(schema);
    if (validate === undefined) {
      validate = ajv.compile(schema);
      compiled.set(schema, validate);
    }
    if (validate(value)) return;
    const [first] = validate.errors ?? [];
    const at = first?.instancePath || '/';
    throw differs(`${where} ${type}: ${at} ${first?.message ?? 'differs'} ${JSON.stringify(first?.params)}`);
  }

  function check(request: FastifyRequest, reply: FastifyReply, type: string, value: unknown): void {
    try {
      compare(request, reply, type, value);
    } catch (error) {
      // The answer that says so is checked as well: one line for one answer.
      if (!reported.has(request)) {
        reported.add(request);
        const { message } = error as Error;
        request.log.error({ err: error }, 'an answer differs from the OpenAPI document');
        appendFileSync(file, `${message} (request ${request.method} ${request.url}, id ${request.id})\n`);
      }
      throw error;
    }
  }

  app.addHook('onRequest', async (_request, reply) => {
    void reply.header(CHECKED_HEADER, '1');
  });

  // What the handler returned: the serializer leaves out what the schema lacks.
  app.addHook('preSerialization', async (request, reply, payload) => {
    const type = mediaType(reply) || 'application/json';
    if (JSON_TYPE.test(type)) check(request, reply, type, JSON.parse(JSON.stringify(payload)));
    return payload;
  });

  // What is sent. An error of this hook has no answer once the answer is an error: it is replaced here.
  app.addHook('onSend', async (request, reply, payload) => {
    if (reported.has(request)) return payload;
    const type = mediaType(reply);
    try {
      if (payload instanceof Readable) {
        check(request, reply, type, UNREAD);
        return request.method === 'HEAD' ? payload : checkedStream(request, reply, type, payload);
      }
      const text = payload instanceof Buffer ? payload.toString() : (payload as string | null | undefined);
      check(request, reply, type, request.method === 'HEAD' ? UNREAD : valueOf(type, text));
      return payload;
    } catch (error) {
      if (payload instanceof Readable) payload.destroy();
      void reply.removeHeader('content-length');
      return problemPayload(request, reply, error as KubewrightError);
    }
  });

  function checkedStream(request: FastifyRequest, reply: FastifyReply, type: string, payload: Readable): Readable {
    if (answersOf(request) === null) return payload;
    if (LINE_TYPES.has(type)) {
      const see = lineReader((value) => check(request, reply, type, value));
      return mapped(payload, see);
    }
    if (type !== 'text/csv') return payload;
    let first = true;
    return mapped(payload, (chunk) => {
      // Of a table the document has the line of its columns.
      if (first) check(request, reply, type, chunk);
      first = false;
    });
  }

  // Events of a handler that writes them itself pass no hook.
  app.addHook('preHandler', async (request, reply) => {
    if (request.routeOptions.config.media?.['text/event-stream'] === undefined) return;
    const { raw } = reply;
    const write = raw.write.bind(raw) as (...args: unknown[]) => boolean;
    const see = lineReader((value) => check(request, reply, 'text/event-stream', value));
    raw.write = ((chunk: unknown, ...rest: unknown[]) => {
      if ((reply as Partial<FastifyReply>).sse !== undefined) {
        try {
          see(String(chunk));
        } catch {
          raw.destroy();
          return false;
        }
      }
      return write(chunk, ...rest);
    }) as typeof raw.write;
  });
}

const NO_BODY = Symbol('no body');
/** A body that is not looked at: of HEAD, of bytes. */
const UNREAD = Symbol('unread');

function valueOf(type: string, text: string | null | undefined): unknown {
  if (text === null || text === undefined) return NO_BODY;
  if (JSON_TYPE.test(type)) return text === '' ? NO_BODY : JSON.parse(text);
  return type === 'application/yaml' ? parseYaml(text) : text;
}

const differs = (message: string) => new KubewrightError('INTERNAL', `answer and OpenAPI differ: ${message}`);

const mediaType = (reply: FastifyReply): string =>
  String(reply.getHeader('content-type') ?? '')
    .split(';')[0]!
    .trim();

/** Takes a stream's text piece by piece; `see` gets each line that is a JSON document, and the data of each event. */
function lineReader(see: (value: unknown) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const json = line.startsWith('data: ') ? line.slice('data: '.length) : line;
      if (line.startsWith('data: ') || json.startsWith('{')) see(JSON.parse(json));
    }
  };
}

/** The same stream; `see` gets each piece before it is sent. */
function mapped(source: Readable, see: (chunk: string) => void): Readable {
  async function* pieces(): AsyncGenerator<string> {
    for await (const chunk of source) {
      see(String(chunk));
      yield String(chunk);
    }
  }
  return Readable.from(pieces(), { highWaterMark: 1 });
}
