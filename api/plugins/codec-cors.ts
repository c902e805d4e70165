import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * A hook that lets the pages of Temporal's UI, and no others, call a route from a browser: that origin, with its cookies.
 * Without an origin nothing is allowed to.
 */
export const allowTemporalUi =
  (origin: string | undefined) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    void reply.header('vary', 'origin');
    if (origin === undefined || request.headers.origin !== origin) return;
    void reply
      .header('access-control-allow-origin', origin)
      .header('access-control-allow-credentials', 'true')
      .header('access-control-allow-methods', 'POST, OPTIONS')
      .header('access-control-allow-headers', 'authorization, content-type, x-namespace')
      .header('access-control-max-age', '600')
      // helmet's default keeps other origins from reading any answer.
      .header('cross-origin-resource-policy', 'cross-origin');
  };
