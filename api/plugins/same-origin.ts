import type { FastifyRequest } from 'fastify';
import { KubewrightError } from '../../contracts/errors.ts';

const SAFE = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Throws CROSS_SITE_REQUEST for a request with a session's cookie that another site, or another port of this host, made a
 * browser send. What changes something must say that a page of this API sent it.
 */
export function requireOwnPage(request: FastifyRequest): void {
  const site = request.headers['sec-fetch-site'];
  if (site === 'same-origin') return;
  // An address that a person typed, or a program without these headers.
  if (SAFE.includes(request.method) && (site === 'none' || (site === undefined && !isForeign(request)))) return;
  if (site === undefined && request.headers.origin === ownOrigin(request)) return;
  refuse();
}

/** Throws CROSS_SITE_REQUEST when a page of another origin sends a login: its visitors would work in a session of others. */
export function refuseForeignLogin(request: FastifyRequest): void {
  const site = request.headers['sec-fetch-site'];
  if (site === undefined ? isForeign(request) : site !== 'same-origin') refuse();
}

const ownOrigin = ({ protocol, host }: FastifyRequest): string => `${protocol}://${host}`;

const isForeign = (request: FastifyRequest): boolean =>
  request.headers.origin !== undefined && request.headers.origin !== ownOrigin(request);

function refuse(): never {
  throw new KubewrightError('CROSS_SITE_REQUEST', 'a page of another origin sent this request');
}
