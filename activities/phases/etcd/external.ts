import { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { address, dnsLabel, port } from '../../../contracts/primitives.ts';
import { DEFAULT_PREFIX } from '../capabilities/kubernetes-store.ts';
import { rawPhaseOptions } from '../options.ts';

/** Members of one etcd cluster; and balancers before them: a list of more is a mistake. */
const MOST_ENDPOINTS = 20;
const ENDPOINT = /^https:\/\/([^/:?#@[\]]+):(\d{1,5})$/;

/** Host and port of an endpoint; null for what is none. */
function placeOf(text: string): { host: string; port: number } | null {
  const [, host = '', digits = ''] = ENDPOINT.exec(text) ?? [];
  const place = { host, port: Number(digits) };
  return address.safeParse(host).success && port.safeParse(place.port).success ? place : null;
}

const endpoint = z
  .string()
  .max(300)
  .refine((text) => placeOf(text) !== null, {
    error: ({ input }) =>
      typeof input === 'string' && input.startsWith('http://')
        ? 'must be https: all Secrets pass through it, and etcd knows its clients by their certificates'
        : 'must be https://HOST:PORT, with an IPv4 address or a DNS name',
  });

/** An etcd of others: the API servers use it, and nothing of ours is installed there. */
export const externalBootstrap = z.strictObject({
  mode: z.literal('external').describe('The API servers use an etcd of yours, and no host has the role etcd'),
  endpoints: z
    .array(endpoint)
    .min(1)
    .max(MOST_ENDPOINTS)
    .refine((all) => new Set(all).size === all.length, 'names an endpoint twice')
    .describe('Client URLs of its members, or of a balancer before them: https://HOST:PORT'),
  credential: z
    .strictObject({ name: dnsLabel })
    .describe('Stored credential of kind client-certificate: certificate and key of the API servers, CA of the etcd'),
  prefix: z
    .string()
    .max(200)
    .regex(
      /^(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/,
      'must be a path such as /registry, without a slash at its end; letters, digits and . _ -',
    )
    .default(DEFAULT_PREFIX)
    .describe('Prefix of all keys of the cluster; no other cluster may use it, or one that it begins with'),
});
export type ExternalEtcd = z.output<typeof externalBootstrap>;

/** The external etcd of a cluster; null where its etcd members are hosts of its own. Throws a ZodError on wrong options. */
export function externalEtcd(cluster: ClusterSpec): ExternalEtcd | null {
  const { bootstrap } = rawPhaseOptions(cluster, 'etcd') as { bootstrap?: { mode?: unknown } };
  return bootstrap?.mode === 'external' ? externalBootstrap.parse(bootstrap) : null;
}

/** Where its client certificate is shown: every endpoint. */
export const endpointPlaces = ({ endpoints }: Pick<ExternalEtcd, 'endpoints'>): { host: string; port: number }[] =>
  endpoints.map((each) => placeOf(each)!);
