import { isIP } from 'node:net';
import { z } from 'zod';
import { keepEnds } from '../contracts/cut.ts';
import { printableLine } from '../contracts/printable.ts';

/** The default address of a worker's metrics: loopback, the first port that exporters by convention take. */
const DEFAULT_LISTEN = '127.0.0.1:9464';

/** Where metrics are served. */
export interface MetricsAddress {
  host: string;
  /** 0: any. */
  port: number;
  /** What a scraper has to send; undefined: nothing. */
  token: string | undefined;
  /** Was it asked for? A default that cannot be had is no reason not to start. */
  given: boolean;
}

const text = z.string().max(512).optional();

/** Variables of the environment, for the schema of a process. */
export const metricsEnvironment = { KUBEWRIGHT_METRICS_LISTEN: text, KUBEWRIGHT_METRICS_TOKEN: text };

/**
 * The address of `/metrics`; null when it is `off`. Adds to `problems`: an address that is none, and one beyond this machine
 * without a token. Pure.
 */
export function metricsAddress(
  env: { KUBEWRIGHT_METRICS_LISTEN?: string | undefined; KUBEWRIGHT_METRICS_TOKEN?: string | undefined },
  problems: string[],
): MetricsAddress | null {
  const given = env.KUBEWRIGHT_METRICS_LISTEN || undefined;
  const token = env.KUBEWRIGHT_METRICS_TOKEN || undefined;
  const listen = given ?? DEFAULT_LISTEN;
  if (listen === 'off') return null;
  const [, bracketed, plain, digits = ''] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(listen) ?? [];
  const host = bracketed ?? plain ?? '';
  if (host === '' || Number(digits) > 65_535) {
    problems.push('KUBEWRIGHT_METRICS_LISTEN must be host:port, or off');
    return null;
  }
  const loopback = host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
  if (!loopback && token === undefined) {
    problems.push('KUBEWRIGHT_METRICS_LISTEN is not loopback: give KUBEWRIGHT_METRICS_TOKEN, which scrapers then send');
  }
  if (token !== undefined && !/^[A-Za-z0-9._~+/=-]{16,256}$/.test(token)) {
    problems.push('KUBEWRIGHT_METRICS_TOKEN must be 16 to 256 letters, digits and . _ ~ + / = -');
  }
  return { host, port: Number(digits), token, given: given !== undefined };
}

/** An error in one line. */
export const messageOf = (error: unknown): string =>
  keepEnds(printableLine(error instanceof Error ? error.message : String(error)), 200);
