import type { FastifyInstance } from 'fastify';
import { KubewrightError } from '../../contracts/errors.ts';
import { parseDocumentText } from '../../contracts/spec-parse.ts';
import { sha256 } from '../../store/canonical.ts';

/** Media types of a body. YAML has been served under several names; RFC 9512 made it application/yaml. */
export const BODY_TYPES = ['application/json', 'application/yaml', 'application/x-yaml', 'text/yaml'] as const;

/** JSON and YAML bodies become plain data; everything else is refused. An empty body is no body. */
export function parseBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  for (const type of BODY_TYPES) {
    app.addContentTypeParser(type, { parseAs: 'buffer' }, (request, body, done) => {
      try {
        const secret = request.routeOptions.config.secretBody === true;
        const bytes = body as Buffer;
        request.bodyDigest = { sha256: secret ? null : sha256(bytes), bytes: bytes.length };
        const text = utf8(body as Buffer);
        done(null, text.trim() === '' ? undefined : parseDocumentText(text, type));
      } catch (error) {
        done(error as Error, undefined);
      }
    });
  }
}

/** A replacement character in a name or a key would be somebody else's name. */
function utf8(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (error) {
    throw new KubewrightError('SPEC_MALFORMED', 'the body is not valid UTF-8', { cause: error });
  }
}
