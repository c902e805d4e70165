import { randomUUID } from 'node:crypto';
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import sse from '@fastify/sse';
import fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { KubewrightError } from '../contracts/errors.ts';
import { LIMITS } from '../contracts/limits.ts';
import { UI_FOLDER } from './build-ui.ts';
import type { ApiDeps } from './deps.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { countRequests, describeInstallation } from './metrics.ts';
import { authenticate } from './plugins/auth.ts';
import { parseBodies } from './plugins/body.ts';
import { addressProblem, answerClientError, handleErrors, sendProblem } from './plugins/errors.ts';
import { endStreamsOfHead } from './plugins/head.ts';
import { handleNotFound } from './plugins/not-found.ts';
import { documentApi } from './plugins/openapi.ts';
import { rateLimits } from './plugins/rates.ts';
import { recordRequests } from './plugins/request-audit.ts';
import { limitStreams } from './plugins/streams.ts';
import { serveUi } from './plugins/ui.ts';
import { leaveUnread } from './plugins/unread.ts';
import { validate } from './plugins/validation.ts';
import { scanRoutes } from './route.ts';

export interface AppOptions {
  logger?: FastifyBaseLogger | undefined;
  https?: { cert: string; key: string } | undefined;
  /** Addresses and CIDRs of proxies whose X-Forwarded-* headers count. Default: none. */
  trustProxy?: readonly string[] | undefined;
  /** The build of the web UI; default: `ui/dist`. */
  uiFolder?: string | undefined;
  /** Compare every answer with the OpenAPI document; one that differs becomes a 500 and a line of this file. For tests. */
  checkAnswers?: string | undefined;
}

/** Request ids that a caller may choose: what is safe in a log line. */
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;
/** Comment lines that keep an event stream open through proxies, ms. */
const HEARTBEAT_MS = 15_000;

/** The API, ready to be asked. Never listens, exits or reads the environment. */
export async function buildApp(deps: ApiDeps, options: AppOptions = {}): Promise<FastifyInstance> {
  const app: FastifyInstance = fastify({
    ...(options.logger ? { loggerInstance: options.logger } : { logger: false }),
    ...(options.https ? { https: options.https } : {}),
    bodyLimit: LIMITS.commandBodyBytes,
    ...(options.trustProxy?.length ? { trustProxy: [...options.trustProxy] } : {}),
    // What fails before any route is found: addresses that cannot be decoded, requests that are not HTTP.
    frameworkErrors: (error, request, reply) => {
      const answer = (refusal: KubewrightError) => void sendProblem(request, reply, refusal);
      app.recordUnrouted(request, 'BAD_REQUEST').then(
        () => answer(new KubewrightError('BAD_REQUEST', addressProblem(error.code))),
        (unwritten: unknown) => {
          request.log.error({ err: unwritten }, 'the API could not record a refused request in the journal');
          answer(new KubewrightError('INTERNAL', 'the request could not be completed', { cause: unwritten }));
        },
      );
    },
    clientErrorHandler: answerClientError,
    requestTimeout: 120_000,
    keepAliveTimeout: 10_000,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 256 },
    genReqId: (request) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
    },
  }) as unknown as FastifyInstance;

  // Reading is polled several times a second; only what changes something is worth a line.
  app.addHook('onRoute', (route) => {
    if (route.method === 'GET' || route.method === 'HEAD') route.logLevel ||= 'warn';
  });
  countRequests(app, deps.metrics);
  describeInstallation(deps.metrics, deps.store.statistics);
  handleErrors(app);
  leaveUnread(app);
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id);
  });
  // The documentation brings its own policy; everything else is data.
  await app.register(helmet, { contentSecurityPolicy: false });
  await app.register(rateLimit, { global: false });
  // Before authentication, which reads them.
  await app.register(cookie);
  await app.register(sse.default, { heartbeatInterval: HEARTBEAT_MS });
  const { journal, projections } = deps.store;
  const limits = deps.limits ?? DEFAULT_LIMITS;
  recordRequests(app, {
    journal,
    known: async (name) => (await projections.cluster(name)) !== null || (await projections.hasOperations(name)),
  });
  authenticate(app, deps.store, rateLimits(limits));
  parseBodies(app);
  handleNotFound(app);
  endStreamsOfHead(app);
  limitStreams(app, deps.store, limits);
  const api = validate(app);
  await documentApi(app);
  await serveUi(app, options.uiFolder ?? UI_FOLDER);
  const { checkAnswers: file } = options;
  if (file !== undefined) (await import('./plugins/checked-answers.ts')).checkAnswers(app, file);
  await app.register(async (scope) => {
    for (const add of await scanRoutes()) add(scope.withTypeProvider() as typeof api, deps);
  });
  await app.ready();
  return app;
}
