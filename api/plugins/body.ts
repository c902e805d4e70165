import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { DocumentBounds } from '../../contracts/document-bounds.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { sha256 } from '../../store/canonical.ts';
import { ParsePool } from '../documents/parse-pool.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Where the bodies of this route may hold more, or less, than DOCUMENT_BOUNDS says. */
    bodyBounds?: Partial<DocumentBounds>;
    /** The body is a cluster spec: checked where it is parsed. */
    clusterSpec?: boolean;
  }
  interface FastifyInstance {
    /** Parses documents, large ones in threads: for routes whose body has another document inside. */
    parsePool: ParsePool;
  }
  interface FastifyRequest {
    /** Why the body, which was read, does not fit the route. */
    bodyRefusal: KubewrightError | null;
  }
}

const YAML_TYPES = ['application/yaml', 'application/x-yaml', 'text/yaml'] as const;
/** Media types of a body. YAML has been served under several names; RFC 9512 made it application/yaml. */
export const BODY_TYPES = ['application/json', ...YAML_TYPES] as const;

/**
 * JSON and YAML bodies become plain data; everything else is refused. An empty body is no body. A body is read only after
 * its caller is known, and only where the route's schema names one. To be registered after authentication.
 */
export function parseBodies(app: FastifyInstance): void {
  const pool = new ParsePool();
  app.decorate('parsePool', pool);
  app.addHook('onClose', () => pool.close());
  app.decorateRequest('bodyRefusal', null);
  app.removeAllContentTypeParsers();
  for (const type of BODY_TYPES) {
    app.addContentTypeParser(type, { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
      const { config } = request.routeOptions;
      request.bodyDigest = { sha256: config.secretBody === true ? null : sha256(body), bytes: body.length };
      if (type !== 'application/json' && body.length > LIMITS.yamlBodyBytes) {
        throw new KubewrightError('BODY_TOO_LARGE', `a body of YAML has at most ${LIMITS.yamlBodyBytes} bytes`);
      }
      const { bodyBounds: bounds, clusterSpec } = config;
      const caller = request.actor?.id ?? request.ip;
      const { value, refusal } = await pool.parse({ bytes: body, type, bounds, clusterSpec }, caller);
      if (refusal) request.bodyRefusal = KubewrightError.from(refusal);
      return value;
    });
  }
  app.addHook('onRequest', async (request) => {
    if (!hasBody(request)) return;
    const { headers } = request.raw;
    if (!['', 'identity'].includes((headers['content-encoding'] ?? '').toLowerCase())) {
      throw new KubewrightError('UNSUPPORTED_MEDIA_TYPE', 'the API accepts bodies only without content-encoding');
    }
    if (takesBody(request)) return;
    const [type = ''] = (headers['content-type'] ?? '').split(';');
    if (!request.is404 && type !== '' && !(BODY_TYPES as readonly string[]).includes(type.trim().toLowerCase())) {
      throw new KubewrightError('UNSUPPORTED_MEDIA_TYPE', `this route takes no body of ${type.slice(0, 100)}`);
    }
    // As if it had none: the framework goes by these, and would read it.
    for (const name of ['content-type', 'content-length', 'transfer-encoding']) delete headers[name];
  });
  app.addHook('preValidation', async (request) => {
    // Not thrown while it was parsed: the record of the request has the cluster that it names.
    if (request.bodyRefusal) throw request.bodyRefusal;
  });
  app.addHook('preParsing', async (request, reply) => {
    // Not before: with this answer the caller begins to send.
    if (takesBody(request) && request.raw.headers.expect !== undefined) reply.raw.writeContinue();
  });
}

const takesBody = (request: FastifyRequest): boolean =>
  !request.is404 && request.routeOptions.schema?.body !== undefined;

/** True when the head of the request announces a body. */
export function hasBody({ raw: { headers } }: Pick<FastifyRequest, 'raw'>): boolean {
  return headers['transfer-encoding'] !== undefined || !['0', undefined].includes(headers['content-length']);
}
