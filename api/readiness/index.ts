import type { Logger } from 'pino';
import type { Store } from '../../store/index.ts';
import type { ApiConfig } from '../config.ts';
import type { Embedded } from '../embedded.ts';
import type { TemporalGateway } from '../temporal-gateway.ts';
import { diskCheck } from './disk.ts';
import { createReadiness, type Readiness } from './readiness.ts';
import { storeCheck } from './store.ts';
import { temporalCheck } from './temporal.ts';
import { workerCheck } from './worker.ts';

/** What `/readyz` of this process looks at. */
export function readinessOf(given: {
  config: Pick<ApiConfig, 'dataDir' | 'minFreeMiB'>;
  store: Store;
  temporal: TemporalGateway;
  embedded: Embedded | null;
  logger: Logger;
}): Readiness {
  const { config, store, temporal, embedded, logger } = given;
  const folders = [
    { name: 'data directory', path: config.dataDir },
    // Programs and bundles: written by this service only when it starts its own worker and Temporal.
    ...(embedded ? [{ name: 'cache', path: embedded.cacheDir }] : []),
  ];
  return createReadiness(
    [
      storeCheck(store),
      temporalCheck(temporal),
      workerCheck({ processes: store.processes, up: embedded?.workerUp }),
      diskCheck({ folders, minFreeMiB: config.minFreeMiB }),
    ],
    { logger },
  );
}
