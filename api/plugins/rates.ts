import type { FastifyReply, FastifyRequest } from 'fastify';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Actor } from '../../contracts/operation.ts';
import { Buckets } from '../buckets.ts';
import type { ApiLimits } from '../limits.ts';
import { leavesRecord } from './request-audit.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Stops what runs: no limit of requests keeps an admin from it. */
    emergency?: boolean;
  }
}

/** Viewers leave records only when they issue kubeconfigs for themselves, and when they are refused. */
const VIEWERS_PART = 10;

/** Counts a request of a known token, before anything else is done for it. Throws RATE_LIMITED, with Retry-After. */
export type Admit = (request: FastifyRequest, reply: FastifyReply, actor: Actor) => void;

/** The rates of requests, and of those that leave records, per token. */
export function rateLimits({ requestsPerMinute, recordsPerMinute }: ApiLimits): Admit {
  const requests = new Buckets();
  const records = new Buckets();
  return (request, reply, actor) => {
    if (request.routeOptions.config.emergency === true && actor.role === 'admin') return;
    const name = actor.id ?? actor.name;
    const refuse = (seconds: number, what: string): never => {
      void reply.header('retry-after', seconds);
      throw new KubewrightError('RATE_LIMITED', `too many ${what} of the token ${actor.name}`);
    };
    const wait = requests.take(name, requestsPerMinute);
    if (wait > 0) refuse(wait, 'requests');
    if (!leavesRecord(request)) return;
    const perMinute = actor.role === 'viewer' ? Math.ceil(recordsPerMinute / VIEWERS_PART) : recordsPerMinute;
    const recordWait = records.take(name, perMinute);
    if (recordWait > 0) refuse(recordWait, 'requests that leave records');
  };
}
