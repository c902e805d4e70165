import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, KubewrightError } from '../../contracts/errors.ts';
import { PROBLEM_TYPE, problemOf } from '../../contracts/problem.ts';

/** Seconds after which a busy or unreachable part is worth another try. */
const RETRY_AFTER_S = 5;

/** Statuses that go with Retry-After (RFC 9110, RFC 6585; 507 of RFC 4918 is temporary by its definition). */
const RETRIED: ReadonlySet<number> = new Set([429, 503, 507]);

/** Fastify's own errors that a caller causes. Anything else of status 4xx is a BAD_REQUEST. */
const OF_FASTIFY: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
};

/** Answer with the problem document of an error. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: KubewrightError): FastifyReply {
  return reply.send(problemPayload(request, reply, error));
}

/** The problem document of an error as text; status and headers are set on the reply. */
export function problemPayload(request: FastifyRequest, reply: FastifyReply, error: KubewrightError): string {
  const { entry } = error;
  if (entry.retryable && !reply.hasHeader('retry-after') && RETRIED.has(entry.status)) {
    void reply.header('retry-after', RETRY_AFTER_S);
  }
  if (entry.status === 401) void reply.header('www-authenticate', 'Bearer realm="kubewright"');
  void reply.code(entry.status).type(PROBLEM_TYPE);
  return JSON.stringify(problemOf(error.report(), request.id));
}

/** Every error becomes a problem document with a code of the catalogue. */
export function handleErrors(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError | KubewrightError, request, reply) => {
    const ours = asKubewrightError(error);
    if (ours.entry.status >= 500) request.log.error({ err: error, code: ours.code }, 'the request failed');
    return sendProblem(request, reply, ours);
  });
}

/** Any error of a request as one of ours: what went wrong inside is for the log, not for the caller. */
export function asKubewrightError(error: FastifyError | KubewrightError): KubewrightError {
  if (KubewrightError.is(error)) return error;
  const status = error.statusCode ?? 500;
  if (status < 500) {
    return new KubewrightError(OF_FASTIFY[error.code] ?? 'BAD_REQUEST', error.message, { cause: error });
  }
  return new KubewrightError('INTERNAL', 'the request could not be completed', { cause: error });
}

/** What is wrong with an address, by Fastify's code. */
export const addressProblem = (code: string): string =>
  code === 'FST_ERR_MAX_PARAM_LENGTH' ? 'a name in the address is too long' : 'the address cannot be decoded';

/** What Node's parser refused never becomes a request, and still gets a problem document. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy(error);
  const message =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'the request line and headers are larger than 16 KiB'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'the request did not arrive in time'
        : 'this is not a valid HTTP request';
  const problem = problemOf(new KubewrightError('BAD_REQUEST', message).report(), randomUUID());
  const body = JSON.stringify(problem);
  const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}`;
  socket.end(`${head}\r\nconnection: close\r\n\r\n${body}`);
}
