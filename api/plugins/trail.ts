import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Journal, OpenRecord } from '../../store/journal.ts';
import type { RecordBegun, RecordEnded } from '../../store/journal-record.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** sha256 and length of the body as it came; null before it was read, or when it holds a secret. */
    bodyDigest: { sha256: string | null; bytes: number } | null;
    /** The record of this request, when it was begun; `ended` once it is written down whole. */
    trail: { startedAt: Date; open: OpenRecord | null; ended: boolean; code: string | null } | null;
  }
}

/** Refused requests of one caller that are written down each, per minute; the rest is counted and written once. */
const REFUSALS_PER_MINUTE = 60;
const MINUTE_MS = 60_000;
const ARGUMENT_CHARS = 500;
/** Callers without a valid token are one: nobody chooses the names of our records. */
const ANONYMOUS = 'anonymous';

const isChange = ({ method, routeOptions: { config } }: FastifyRequest): boolean =>
  config.audited === true || !['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(method);

/**
 * Every request that changes something is in the journal, refused ones included: begun before its handler runs, ended
 * before the answer leaves. To be registered before authentication, which refuses.
 */
export function recordRequests(app: FastifyInstance, journal: Journal): void {
  const refusals = new Refusals(journal);
  app.decorateRequest('bodyDigest', null);
  app.decorateRequest('trail', null);
  app.addHook('onRequest', async (request) => {
    if (isChange(request)) request.trail = { startedAt: new Date(), open: null, ended: false, code: null };
  });
  app.addHook('preHandler', async (request) => {
    if (request.trail && !request.is404) request.trail.open = await journal.begin(begun(request));
  });
  app.addHook('onError', async (request, _reply, error) => {
    if (request.trail) request.trail.code = KubewrightError.is(error) ? error.code : null;
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const { trail } = request;
    if (!trail || trail.ended) return payload;
    // First: should writing fail, the answer to that failure must not come here again.
    trail.ended = true;
    const end = ended(request, reply, payload);
    if (trail.open) await journal.end(trail.open, end);
    else await refusals.add(begun(request), end);
    return payload;
  });
  const timer = setInterval(() => void refusals.flush().catch(() => undefined), MINUTE_MS).unref();
  app.addHook('onClose', async () => {
    clearInterval(timer);
    await refusals.flush();
  });
}

function begun(request: FastifyRequest): RecordBegun {
  const { name, host } = (request.params ?? {}) as { name?: string; host?: string };
  const url = request.routeOptions.url ?? '';
  const known = request.actor !== null;
  return {
    // What is said of a host by name is a decision.
    kind: /\/hosts\/:host\//.test(url) ? 'decision' : 'request',
    actor: request.actor?.name ?? ANONYMOUS,
    requestId: request.id,
    cluster: known ? clusterOf(url, name, request.body) : '',
    host: known && url.includes(':host') ? (host ?? '') : '',
    argv: [request.method, request.url.slice(0, ARGUMENT_CHARS), `from ${request.ip}`],
    stdinSha256: request.bodyDigest?.sha256 ?? null,
    stdinBytes: request.bodyDigest?.bytes ?? 0,
    startedAt: request.trail?.startedAt ?? new Date(),
  };
}

/** The cluster that the address names, or the spec of a POST /clusters. */
function clusterOf(url: string, name: string | undefined, body: unknown): string {
  if (url.startsWith('/clusters/:name')) return name ?? '';
  if (url !== '/clusters') return '';
  const given = (body as { metadata?: { name?: unknown } } | null | undefined)?.metadata?.name;
  return typeof given === 'string' && /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(given) ? given : '';
}

function ended(request: FastifyRequest, reply: FastifyReply, payload: unknown): RecordEnded {
  const { statusCode } = reply;
  return {
    endedAt: new Date(),
    code: statusCode,
    signal: null,
    stdout: '',
    stderr: '',
    stdoutBytes: 0,
    stderrBytes: 0,
    truncated: false,
    error: statusCode < 400 ? null : (request.trail?.code ?? codeOf(payload)),
    operation: statusCode < 300 ? operationOf(payload) : undefined,
  };
}

const member = (payload: unknown, name: string): unknown => {
  if (typeof payload !== 'string' || !payload.startsWith('{')) return undefined;
  return (JSON.parse(payload) as Record<string, unknown>)[name];
};

/** What the answer says of the operation that the request started or spoke to. */
function operationOf(payload: unknown): string | undefined {
  const operation = member(payload, 'operation');
  return typeof operation === 'string' ? operation : undefined;
}

function codeOf(payload: unknown): string {
  const code = member(payload, 'code');
  return typeof code === 'string' ? code : 'INTERNAL';
}

/** Refusals before any handler ran. A flood of them is one record a minute: it must not fill the disk. */
class Refusals {
  readonly #journal: Journal;
  #counts = new Map<string, { written: number; more: number }>();
  #since = Date.now();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  async add(begin: RecordBegun, end: RecordEnded): Promise<void> {
    if (Date.now() - this.#since > MINUTE_MS) await this.flush();
    const count = this.#counts.get(begin.actor) ?? { written: 0, more: 0 };
    this.#counts.set(begin.actor, count);
    if (count.written >= REFUSALS_PER_MINUTE) {
      count.more += 1;
      return;
    }
    count.written += 1;
    await this.#journal.record(begin, end);
  }

  async flush(): Promise<void> {
    const counts = this.#counts;
    const startedAt = new Date(this.#since);
    this.#counts = new Map();
    this.#since = Date.now();
    for (const [actor, { more }] of counts) {
      if (more === 0) continue;
      await this.#journal.record(
        {
          ...{ kind: 'request', actor, requestId: '', cluster: '', stdinSha256: null, stdinBytes: 0 },
          ...{ argv: ['refused', `${more} more requests`], startedAt },
        },
        {
          ...{ endedAt: new Date(), code: 429, signal: null, stdout: '', stderr: '', stdoutBytes: 0, stderrBytes: 0 },
          ...{ truncated: false, error: 'RATE_LIMITED' },
        },
      );
    }
  }
}
