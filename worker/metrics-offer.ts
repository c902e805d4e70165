import { createServer } from 'node:net';
import type { Registry } from '@prometheus-io/client';
import { processRegistry } from '../telemetry/registry.ts';
import { type MetricsAddress, messageOf } from './metrics-address.ts';
import { serveMetrics } from './metrics-server.ts';

const LOOPBACK = '127.0.0.1';

export interface OfferedMetrics {
  registry: Registry;
  /** Where they are served; undefined when the default address was taken. */
  url: string | undefined;
  /** Where the SDK's core is to export its own. */
  sdkAddress: string;
  close(): Promise<void>;
}

/**
 * Serve the metrics of this process. An embedded worker takes a free port of the loopback and reports it to its API process. Throws
 * when an address that was asked for cannot be had; the default one is left out with a warning.
 */
export async function offerMetrics(
  address: MetricsAddress,
  { logger, embedded }: { logger: { warn(details: object, message: string): void }; embedded: boolean },
): Promise<OfferedMetrics> {
  const registry = processRegistry('worker');
  const sdkAddress = `${LOOPBACK}:${await freePort()}`;
  const listen = embedded ? { host: LOOPBACK, port: 0, token: undefined, given: true } : address;
  const sdkUrl = `http://${sdkAddress}/metrics`;
  const server = await serveMetrics({ registry, listen, sdkUrl, logger }).catch((error: unknown) => {
    if (listen.given) throw error;
    logger.warn(
      { reason: messageOf(error) },
      'the worker serves no metrics: another process uses the default address; set KUBEWRIGHT_METRICS_LISTEN',
    );
    return null;
  });
  return { registry, url: server?.url, sdkAddress, close: () => server?.close() ?? Promise.resolve() };
}

/** A free port of the loopback: the SDK's core does not report which port it took. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, LOOPBACK, () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
