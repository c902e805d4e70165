import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { hasBody } from './body.ts';

/**
 * How long a connection stays half open after the answer to a request whose body was not read, ms. Closed at once, the
 * kernel would reset it, and the answer could be lost on the way.
 */
const LINGER_MS = 1_000;

/**
 * A request may be answered before its body was read: its caller is unknown, or the route takes none. The connection ends
 * with that answer; what is still on its way is not read. Node would read it to its end and throw it away.
 */
export function leaveUnread(app: FastifyInstance): void {
  const announced = new WeakSet<IncomingMessage>();
  // First of all hooks: others change the headers by which it is seen.
  app.addHook('onRequest', async (request) => {
    if (hasBody(request)) announced.add(request.raw);
  });
  app.addHook('onSend', async (request, reply, payload) => {
    if (announced.has(request.raw) && !request.raw.complete && request.raw.socket instanceof Socket) {
      void reply.header('connection', 'close');
      endWithoutReading(request.raw.socket);
    }
    return payload;
  });
  // Node answers `Expect: 100-continue` by itself, and so asks for the body before the caller is known.
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    app.server.emit('request', request, response);
  });
}

/** The server calls `destroySoon` when the last answer of a connection was written. */
function endWithoutReading(socket: Socket): void {
  socket.destroySoon = () => {
    socket.pause();
    socket.end();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  };
}
