import { z } from 'zod';
import { cidr, hostname, ipv4 } from '../../../contracts/primitives.ts';

/** Options that the phases for time synchronisation share. None has a default: clusters of before keep their digests. */

const address = z.union([hostname, ipv4]);

/** Log2 of seconds between two questions, as NTP counts them. */
const poll = z.int().min(3).max(17);

const server = z.strictObject({
  address,
  iburst: z
    .boolean()
    .optional()
    .describe('Several questions at the start, so that the clock follows sooner; default true'),
  prefer: z.boolean().optional().describe('Taken before others that are as good'),
  minPoll: poll.optional().describe('Shortest time between two questions, as a power of 2, seconds'),
  maxPoll: poll.optional().describe('Longest time between two questions, as a power of 2, seconds'),
});

export const pools = z
  .array(address)
  .max(8)
  .optional()
  .describe(
    'Names with several NTP servers each, for the time servers, or for all hosts when the cluster has none; default pool.ntp.org where no `servers` are given',
  );
export const plainServers = z.array(address).max(16).optional().describe('Single NTP servers, beside `pools`');
export const maxOffsetMs = z
  .int()
  .min(1)
  .max(60_000)
  .optional()
  .describe('Largest difference between the clock of a host and the server that it follows, ms; default 500');

/** Options of a daemon that may serve the other hosts as well. */
export const timeServerOptions = {
  servers: z
    .array(z.union([address, server]))
    .max(16)
    .optional()
    .describe('Single NTP servers, without keys'),
  pools,
  allow: z
    .union([cidr, z.array(cidr).min(1).max(64)])
    .optional()
    .describe('Networks that the time servers answer; default: the hosts of the cluster'),
  maxOffsetMs,
};

/** A server with what is known of it. */
export interface TimeServer {
  address: string;
  iburst: boolean;
  prefer: boolean;
  minPoll?: number | undefined;
  maxPoll?: number | undefined;
}

/** Options of any provider, as `sourcesOf` reads them. */
export interface TimeOptions {
  servers?: readonly (string | z.output<typeof server>)[] | undefined;
  pools?: readonly string[] | undefined;
  allow?: string | readonly string[] | undefined;
  maxOffsetMs?: number | undefined;
}

export const DEFAULT_POOL = 'pool.ntp.org';
const DEFAULT_MAX_OFFSET_MS = 500;

export const maxOffsetOf = ({ maxOffsetMs: given }: TimeOptions): number => given ?? DEFAULT_MAX_OFFSET_MS;

/** A line of chrony.conf or ntp.conf: both have the same words. Pure. */
export const serverLine = ({ address: server, iburst, prefer, minPoll, maxPoll }: TimeServer): string =>
  [
    ...['server', server],
    ...(iburst ? ['iburst'] : []),
    ...(prefer ? ['prefer'] : []),
    ...(minPoll === undefined ? [] : ['minpoll', minPoll]),
    ...(maxPoll === undefined ? [] : ['maxpoll', maxPoll]),
  ].join(' ');

/** The servers of the options in one form. Pure. */
export const serversOf = ({ servers = [] }: TimeOptions): TimeServer[] =>
  servers.map((each) =>
    typeof each === 'string'
      ? { address: each, iburst: true, prefer: false }
      : { ...each, iburst: each.iburst ?? true, prefer: each.prefer ?? false },
  );
