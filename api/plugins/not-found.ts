import type { FastifyInstance } from 'fastify';
import { KubewrightError } from '../../contracts/errors.ts';

/** Unknown addresses and methods, per address and minute. */
const MISSES_PER_MINUTE = 300;

/** Routes seen so far: to be called before routes are added. Unknown paths are 404, known ones with another method 405. */
export function handleNotFound(app: FastifyInstance): void {
  const limit = app.createRateLimit({ max: MISSES_PER_MINUTE, timeWindow: '1 minute' });
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', (route) => {
    const known = methods.get(route.url) ?? new Set<string>();
    for (const method of [route.method].flat()) known.add(method);
    methods.set(route.url, known);
  });
  app.setNotFoundHandler(async (request, reply) => {
    const state = await limit(request);
    if (!state.isAllowed && state.isExceeded) {
      void reply.header('retry-after', state.ttlInSeconds);
      throw new KubewrightError('RATE_LIMITED', 'too many requests for unknown routes');
    }
    const path = request.url.split('?')[0]!;
    const allowed = [...methods].filter(([url]) => matches(url, path)).flatMap(([, known]) => [...known]);
    if (allowed.length > 0) {
      void reply.header('allow', [...new Set(allowed)].sort().join(', '));
      throw new KubewrightError('METHOD_NOT_ALLOWED', `${request.method} is not possible here`);
    }
    throw new KubewrightError('NOT_FOUND', 'there is no such route; see /docs');
  });
}

/** True when the path is one of the route's: the same parts, but for its parameters. */
function matches(url: string, path: string): boolean {
  const [pattern, parts] = [url.split('/'), path.split('/')];
  return (
    pattern.length === parts.length && pattern.every((part, index) => part.startsWith(':') || part === parts[index])
  );
}
