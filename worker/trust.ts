import type { Logger } from 'pino';
import { createRefusalLog } from '../activities/operations/refusal-log.ts';
import { workerConverter } from '../codec/data-converter.ts';
import type { Store } from '../store/index.ts';
import type { WorkersOptions } from './run.ts';

/** What workers go by when something comes through Temporal: keys, where refusals are written down, open operations. */
export function trustIn(
  store: Store,
  logger: Pick<Logger, 'warn'>,
): Required<Pick<WorkersOptions, 'dataConverter' | 'refusals' | 'operations'>> {
  return {
    dataConverter: workerConverter(store.payloadKeys, store.commandKeys),
    refusals: createRefusalLog(
      {
        record: (begun, ended) => store.journal.record(begun, ended),
        known: async (cluster) => (await store.projections.cluster(cluster)) !== null,
      },
      logger,
    ),
    operations: store.commands,
  };
}
