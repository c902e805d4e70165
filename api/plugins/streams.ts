import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { KubewrightError } from '../../contracts/errors.ts';
import type { SessionStore } from '../../store/sessions.ts';
import type { TokenGrant, TokenStore } from '../../store/tokens.ts';
import type { ApiLimits } from '../limits.ts';
import { actorFor } from './auth.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * To be called before an answer without a known end is sent. The signal aborts when the answer is over, the API
     * closes, or the token may no longer access it: then the connection is cut, so that nothing that waits in a buffer
     * is sent. Throws RATE_LIMITED when the token, or the installation, has too many of them.
     */
    openStream(request: FastifyRequest, reply: FastifyReply): AbortSignal;
  }
}

/** How often the tokens of open streams are looked up: another process may have changed one, or its end has come, ms. */
const CHECK_EVERY_MS = 500;

interface OpenStream {
  token: string;
  /** Id of the session that opened it; null: a token did. */
  session: string | null;
  /** Clusters of the token when it opened the stream. */
  grant: string;
  cut(): void;
}

/** Limits how many streams are open, and ends those whose token is revoked, expired, or lost clusters, or whose session is over. */
export function limitStreams(
  app: FastifyInstance,
  {
    tokens,
    sessions,
  }: { tokens: Pick<TokenStore, 'grants' | 'onRevoke'>; sessions: Pick<SessionStore, 'living' | 'onEnd'> },
  { streams: most, streamsPerToken }: ApiLimits,
): void {
  const open = new Set<OpenStream>();
  const closing = new AbortController();
  const cut = (which: (stream: OpenStream) => boolean): void => {
    for (const stream of open) if (which(stream)) stream.cut();
  };

  app.decorate('openStream', (request, reply) => {
    const { id: token = '', name, role } = actorFor(request);
    const own = [...open].filter((each) => each.token === token).length;
    if (own >= streamsPerToken) {
      throw new KubewrightError('RATE_LIMITED', `the token ${name} has ${own} streams open, which is its limit`);
    }
    if (open.size >= most)
      throw new KubewrightError('RATE_LIMITED', `${open.size} streams are open, which is the limit`);
    const over = new AbortController();
    const stream: OpenStream = {
      token,
      session: request.session?.id ?? null,
      grant: grantText({ role, clusters: request.clusters }),
      cut() {
        over.abort();
        reply.raw.destroy();
      },
    };
    open.add(stream);
    const release = (): void => {
      open.delete(stream);
      over.abort();
    };
    reply.raw.once('close', release).once('finish', release);
    return AbortSignal.any([over.signal, closing.signal]);
  });

  const off = [
    tokens.onRevoke((id) => cut(({ token }) => token === id)),
    sessions.onEnd((id) => cut(({ session }) => session === id)),
  ];
  const check = async (): Promise<void> => {
    const present = [...open];
    const ofSessions = present.flatMap(({ session }) => (session === null ? [] : [session]));
    const [grants, living] = await Promise.all([
      tokens.grants([...new Set(present.map(({ token }) => token))]),
      sessions.living([...new Set(ofSessions)]),
    ]);
    const valid = new Map([...grants].map(([id, grant]) => [id, grantText(grant)]));
    for (const stream of present) {
      const { token, grant, session } = stream;
      if (valid.get(token) !== grant || (session !== null && !living.has(session))) stream.cut();
    }
  };
  let checking = false;
  const timer = setInterval(() => {
    if (checking || open.size === 0) return;
    checking = true;
    check()
      .catch((error: unknown) => app.log.warn({ err: error }, 'the API could not read the tokens of open streams'))
      .finally(() => {
        checking = false;
      });
  }, CHECK_EVERY_MS).unref();
  app.addHook('preClose', async () => closing.abort());
  app.addHook('onClose', async () => {
    clearInterval(timer);
    for (const end of off) end();
  });
}

const grantText = ({ role, clusters }: TokenGrant): string => JSON.stringify([role, clusters]);
