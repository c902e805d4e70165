import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS, type ErrorCode, KubewrightError } from '../../contracts/errors.ts';
import { ACTORS } from '../../contracts/messages.ts';
import type { Journal, OpenRecord } from '../../store/journal.ts';
import { NO_OUTPUT, type RecordBegun, type RecordEnded } from '../../store/journal-record.ts';
import { Buckets } from '../buckets.ts';
import { asKubewrightError, problemPayload } from './errors.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** For what is refused before any route is looked for: no hook sees it. */
    recordUnrouted(request: FastifyRequest, code: ErrorCode): Promise<void>;
  }
  interface FastifyRequest {
    /** sha256 and length of the body as it came; null before it was read, or when it holds a secret. */
    bodyDigest: { sha256: string | null; bytes: number } | null;
    /** The record of this request, when it was begun; `ended` once it is written down whole. */
    auditRecord: { startedAt: Date; open: OpenRecord | null; ended: boolean; code: string | null } | null;
  }
}

/** Refused requests of one caller that are written down each: so many at once, so many a minute in the long run. */
const REFUSALS_AT_ONCE = 300;
const REFUSALS_PER_MINUTE = 60;
/** New clusters of one token whose trails begin with the request for them: so many at once, so many a minute. */
const NEW_NAMES_AT_ONCE = 50;
const NEW_NAMES_PER_MINUTE = 1;
const MINUTE_MS = 60_000;
const ARGUMENT_CHARS = 500;

const READING = ['GET', 'HEAD', 'OPTIONS', 'TRACE'];
/** True when a request leaves a record whatever comes of it. */
export const leavesRecord = ({ method, routeOptions: { config } }: FastifyRequest): boolean =>
  config.audited === true || !READING.includes(method);

/** The status, never sent, of a request whose caller went away before it had come whole. */
const CLOSED_BY_CALLER = 499;

/** What the trail needs of the store. `known`: there is a cluster of this name, or there were operations on it. */
export interface RequestAuditStore {
  journal: Journal;
  known(cluster: string): Promise<boolean>;
}

/** Statuses of requests that were refused for who asked: in the trail whatever they asked for. */
const REFUSED_FOR_CALLER: ReadonlySet<number> = new Set([401, 403, 429]);

/**
 * Every request that changes something is in the journal, refused ones included: begun before its handler runs, ended
 * before the answer leaves. So is every request that only reads and is refused for who asks: without a valid token, with
 * too small a role, for a cluster out of the token's reach. To be registered before authentication, which refuses.
 */
export function recordRequests(app: FastifyInstance, store: RequestAuditStore): void {
  const { journal } = store;
  const refusals = new Refusals(journal);
  const newNames = new Buckets();
  /**
   * What is asked of a name that no cluster has is in the trail of the installation, lest callers begin as many trails
   * as they can think of names. `begins`: the request is one that a cluster may come of.
   */
  const placed = async (begin: RecordBegun, begins: boolean): Promise<RecordBegun> => {
    const { cluster, actorId, argv } = begin;
    if (cluster === '' || (await store.known(cluster))) return begin;
    if (begins && newNames.take(actorId ?? '', NEW_NAMES_PER_MINUTE, NEW_NAMES_AT_ONCE) === 0) return begin;
    return { ...begin, cluster: '', host: '', argv: [...argv, `cluster=${cluster}`] };
  };
  const refuse = (request: FastifyRequest, end: RecordEnded): Promise<void> =>
    refusals.add(begun(request), end, (begin) => placed(begin, false));
  app.decorateRequest('bodyDigest', null);
  app.decorateRequest('auditRecord', null);
  app.addHook('onRequest', async (request) => {
    if (leavesRecord(request)) request.auditRecord = { startedAt: new Date(), open: null, ended: false, code: null };
  });
  app.addHook('preHandler', async (request) => {
    const { auditRecord } = request;
    if (!auditRecord || request.is404) return;
    try {
      auditRecord.open = await journal.begin(await placed(begun(request), request.routeOptions.url === '/clusters'));
    } catch (error) {
      // The answer says that it could not be recorded; a second try would make the caller wait twice.
      auditRecord.ended = true;
      throw error;
    }
  });
  app.addHook('onError', async (request, _reply, error) => {
    if (request.auditRecord) request.auditRecord.code = KubewrightError.is(error) ? error.code : null;
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const { auditRecord } = request;
    const refused = REFUSED_FOR_CALLER.has(reply.statusCode) || request.outOfReach;
    if (auditRecord ? auditRecord.ended : !refused) return payload;
    // First: should writing fail, the answer to that failure must not come here again.
    if (auditRecord) auditRecord.ended = true;
    const end = ended(request, reply, payload);
    try {
      if (auditRecord?.open) await journal.end(auditRecord.open, end);
      else await refuse(request, end);
    } catch (error) {
      // Fastify cannot serialise an error of this hook when the answer is an error already: the answer is replaced here.
      const unwritten = asKubewrightError(error as Error as FastifyError);
      request.log.error({ err: error, code: unwritten.code }, 'the API could not record the request in the journal');
      if (payload instanceof Readable) payload.destroy();
      return problemPayload(request, reply, unwritten);
    }
    return payload;
  });
  app.addHook('onRequestAbort', async (request) => {
    const { auditRecord } = request;
    // A handler that runs goes on, and ends the record; without a handler it would stay open.
    if (!auditRecord || auditRecord.ended || auditRecord.open) return;
    auditRecord.ended = true;
    await refuse(request, { ...NO_OUTPUT, endedAt: new Date(), code: CLOSED_BY_CALLER, error: 'BAD_REQUEST' });
  });
  app.decorate('recordUnrouted', async (request, code) => {
    if (READING.includes(request.method)) return;
    request.auditRecord = { startedAt: new Date(), open: null, ended: true, code };
    await refuse(request, { ...NO_OUTPUT, endedAt: new Date(), code: ERRORS[code].status, error: code });
  });
  const timer = setInterval(() => {
    refusals
      .flush()
      .catch((error: unknown) =>
        app.log.error({ err: error }, 'the API could not record refused requests in the journal'),
      );
  }, MINUTE_MS).unref();
  app.addHook('onClose', async () => {
    clearInterval(timer);
    await refusals.flush();
  });
}

function begun(request: FastifyRequest): RecordBegun {
  const { host } = (request.params ?? {}) as { host?: string };
  const url = request.routeOptions?.url ?? '';
  return {
    // What is said of a host by name is a decision.
    kind: /\/hosts\/:host\//.test(url) ? 'decision' : 'request',
    // Callers without a valid token share one name, so that callers cannot choose names in records.
    actor: request.actor?.name ?? ACTORS.anonymous,
    actorId: request.actor?.id,
    requestId: request.id,
    cluster: clusterOf(request),
    host: url.includes(':host') && host !== undefined && NAME.test(host) ? host : '',
    argv: [
      ...[request.method, request.url.slice(0, ARGUMENT_CHARS), ...addressesOf(request)],
      ...(request.session ? [`session=${request.session.id}`] : []),
    ],
    stdinSha256: request.bodyDigest?.sha256 ?? null,
    stdinBytes: request.bodyDigest?.bytes ?? 0,
    startedAt: request.auditRecord?.startedAt ?? new Date(),
  };
}

/** Where the request came from; behind a trusted proxy also which proxy brought it. */
function addressesOf({ ip, socket }: FastifyRequest): string[] {
  const { remoteAddress } = socket;
  if (remoteAddress === undefined || remoteAddress === ip) return [`from ${ip}`];
  // A trusted proxy may still pass on text that is no address.
  return [`from ${isIP(ip) === 0 ? 'unknown' : ip}`, `via ${remoteAddress}`];
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** The cluster that the address names, whatever else is wrong with it, or the spec of a POST /clusters. */
function clusterOf({ url, params, body }: FastifyRequest): string {
  const [path = ''] = url.split('?');
  const [, top, second] = path.split('/');
  if (top !== 'clusters') return '';
  const given =
    second === undefined || second === ''
      ? (body as { metadata?: { name?: unknown } } | null | undefined)?.metadata?.name
      : ((params as { name?: string } | undefined)?.name ?? second);
  return typeof given === 'string' && given.length <= 40 && NAME.test(given) ? given : '';
}

function ended(request: FastifyRequest, reply: FastifyReply, payload: unknown): RecordEnded {
  const { statusCode } = reply;
  return {
    ...NO_OUTPUT,
    endedAt: new Date(),
    code: statusCode,
    error: statusCode < 400 ? null : (request.auditRecord?.code ?? codeOf(payload)),
    operation: statusCode < 300 ? operationOf(payload) : undefined,
  };
}

const member = (payload: unknown, name: string): unknown => {
  if (typeof payload !== 'string' || !payload.startsWith('{')) return undefined;
  return (JSON.parse(payload) as Record<string, unknown>)[name];
};

/** What the answer says of the operation that the request started or acted on. */
function operationOf(payload: unknown): string | undefined {
  const operation = member(payload, 'operation');
  return typeof operation === 'string' ? operation : undefined;
}

function codeOf(payload: unknown): string {
  const code = member(payload, 'code');
  return typeof code === 'string' ? code : 'INTERNAL';
}

type Who = Pick<RecordBegun, 'actor' | 'actorId'>;
const whoOf = ({ actor, actorId }: Who): Who => ({ actor, actorId });

/** Refusals before any handler ran. A flood of them is one record a minute: it must not fill the disk. */
class Refusals {
  readonly #journal: Journal;
  readonly #callers = new Map<string, Who & { left: number; at: number; more: number }>();
  #since = Date.now();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** `finish` looks closer at the record: not before it is sure that it will be written. */
  async add(begin: RecordBegun, end: RecordEnded, finish: (begin: RecordBegun) => Promise<RecordBegun>): Promise<void> {
    const now = Date.now();
    if (now - this.#since > MINUTE_MS) await this.flush();
    // Names of tokens are not unique; callers without a token are one.
    const key = begin.actorId ?? begin.actor;
    const caller = this.#callers.get(key) ?? { ...whoOf(begin), left: REFUSALS_AT_ONCE, at: now, more: 0 };
    this.#callers.set(key, caller);
    const regained = ((now - caller.at) / MINUTE_MS) * REFUSALS_PER_MINUTE;
    Object.assign(caller, { left: Math.min(REFUSALS_AT_ONCE, caller.left + regained), at: now });
    // Who asks too much would be recorded for each refusal of it as well.
    const limited = end.error === ('RATE_LIMITED' satisfies ErrorCode) && begin.actorId !== undefined;
    if (caller.left < 1 || limited) {
      caller.more += 1;
      return;
    }
    caller.left -= 1;
    await this.#journal.record(await finish(begin), end);
  }

  async flush(): Promise<void> {
    const startedAt = new Date(this.#since);
    this.#since = Date.now();
    for (const caller of this.#callers.values()) {
      const { more, actor, actorId } = caller;
      if (more === 0) continue;
      caller.more = 0;
      const written = this.#journal.record(
        {
          ...{ kind: 'request', actor, actorId, requestId: '', cluster: '', stdinSha256: null, stdinBytes: 0 },
          ...{ argv: ['refused', `${more} more requests`], startedAt },
        },
        { ...NO_OUTPUT, endedAt: new Date(), code: ERRORS.RATE_LIMITED.status, error: 'RATE_LIMITED' },
      );
      await written.catch((error: unknown) => {
        // They count with the next ones.
        caller.more += more;
        throw error;
      });
    }
  }
}
