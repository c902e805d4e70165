import type { FastifyReply, FastifyRequest } from 'fastify';

const NAME = 'kubewright-session';

/** With https the browser itself enforces Secure and Path=/, and no other host can set it. */
const nameFor = ({ protocol }: FastifyRequest): string => (protocol === 'https' ? `__Host-${NAME}` : NAME);

const attributes = (request: FastifyRequest) => ({
  path: '/',
  httpOnly: true,
  sameSite: 'strict' as const,
  secure: request.protocol === 'https',
});

/** The secret of the session that the request's cookie names. */
export const sessionSecret = (request: FastifyRequest): string | undefined => request.cookies[nameFor(request)];

/** Give the browser a session until then (ISO time). */
export const setSessionCookie = (request: FastifyRequest, reply: FastifyReply, secret: string, until: string): void => {
  void reply.setCookie(nameFor(request), secret, { ...attributes(request), expires: new Date(until) });
};

/** Take the session out of the browser. */
export const clearSessionCookie = (request: FastifyRequest, reply: FastifyReply): void => {
  void reply.clearCookie(nameFor(request), attributes(request));
};
