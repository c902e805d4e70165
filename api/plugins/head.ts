import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';

/**
 * Answers of HEAD have no body: a stream that would be one is given up unread. Fastify would read it to its end, and a
 * followed history has none.
 */
export function endStreamsOfHead(app: FastifyInstance): void {
  app.addHook('onSend', async (request, _reply, payload) => {
    if (request.method === 'HEAD' && payload instanceof Readable) payload.destroy();
    return payload;
  });
}
