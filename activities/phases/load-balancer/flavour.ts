import type { Family } from '../../host/family/family.ts';
import type { FlavourName } from './options.ts';
import type { Server } from './topology.ts';

/** What is in the configuration of a balancer. */
export interface Balancing {
  /** Port on all addresses of the host. */
  port: number;
  servers: readonly Server[];
  /** Port of the API servers. */
  serverPort: number;
  maxConnections: number;
  keepConnectionsSeconds: number;
  family: Family;
  /** Answers at `/config` of the status socket. */
  digest: string;
}

/** A program that distributes TCP connections. */
export interface Flavour {
  name: FlavourName;
  /** By Debian's names. */
  packages: readonly string[];
  /** systemd unit of the distribution, without `.service`. */
  unit: string;
  program: string;
  /** Paths that package and unit of the distribution make, and the package leaves. */
  fills: readonly string[];
  configFile: string;
  /** argv that checks the configuration in the file in place of `{}`. */
  check: readonly string[];
  render(balancing: Balancing): string;
  /** Further keys of [Service] of its unit. */
  service: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  /** Booleans of SELinux that it needs to connect to the API servers, and to listen on any port. */
  selinux: readonly string[];
}

/** Health checks: an API server that does not answer gets no new connection after at most 2 s, ms. */
export const CHECK = { intervalMs: 400, againMs: 200, timeoutMs: 600, failures: 2, successes: 2 } as const;
/**
 * Time after which no balancer opens a connection to an API server whose /readyz fails, seconds: one check, and for nginx a
 * reload; the rest is for busy machines.
 */
export const DRAIN_SECONDS = 3;
