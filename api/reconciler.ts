import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, type ErrorReport, KubewrightError } from '../contracts/errors.ts';
import { ACTORS, operationWorkflowId } from '../contracts/messages.ts';
import type { OperationStatus } from '../contracts/operation.ts';
import type { Store } from '../store/index.ts';
import { NO_OUTPUT } from '../store/journal-record.ts';
import type { TemporalGateway } from './temporal-gateway.ts';

export interface ReconcilerOptions {
  store: Pick<Store, 'projections' | 'journal'>;
  temporal: Pick<TemporalGateway, 'liveOperations' | 'runningOperations' | 'cancelWorkflow'>;
  logger?: { warn(details: object, message: string): void } | undefined;
  /** For tests: how old a status must be, ms. */
  graceMs?: number;
}

/** Compares unfinished operations of our store with those that Temporal runs: what only one of them has cannot go on. */
export interface Reconciler {
  /** Look once: close what Temporal has lost, cancel what our store has lost. Returns those closed as `lost`. Throws TEMPORAL_UNAVAILABLE when nothing can be said. */
  sweep(): Promise<{ cluster: string; operationId: string }[]>;
  /** Look at once, then every SWEEP_MS. Returns the function that ends it. */
  start(): () => Promise<void>;
}

/** How often, ms. A terminated workflow is rare; after lost data the first look at the start finds all. */
const SWEEP_MS = 60_000;
/** After a failed look (Temporal does not answer yet), ms. */
const RETRY_MS = 5_000;
/** A status younger than this may belong to an operation that is being queued or that is ending, ms. */
const SETTLE_MS = 15_000;
/** Operations looked at in one sweep; the next one takes the rest. */
const PER_SWEEP = 1_000;

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { store, temporal, logger, graceMs = SETTLE_MS } = options;

  async function sweep(): Promise<{ cluster: string; operationId: string }[]> {
    const before = new Date(Date.now() - graceMs).toISOString();
    const unfinished = await store.projections.unfinished(before, PER_SWEEP);
    const lost: { cluster: string; operationId: string }[] = [];
    for (const [cluster, operations] of Map.groupBy(unfinished, (each) => each.cluster)) {
      const live = await temporal.liveOperations(
        cluster,
        operations.map(({ operationId }) => operationId),
      );
      if (live === null) continue;
      for (const operation of operations) {
        if (live.has(operation.operationId)) continue;
        await close(operation);
        lost.push({ cluster, operationId: operation.operationId });
        logger?.warn(
          { cluster, operation: operation.operationId },
          'Temporal does not have the operation: the API closed it as lost',
        );
      }
    }
    await cancelUnknown();
    return lost;
  }

  /**
   * Operations are in our store before their workflow begins. One that is not was lost with a database that was restored
   * from an older backup: its spec and records are gone, so it cannot go on.
   */
  async function cancelUnknown(): Promise<void> {
    for (const { cluster, operationId } of await temporal.runningOperations()) {
      if ((await store.projections.operation(cluster, operationId)) !== null) continue;
      await record(cluster, operationId, ['cancel', 'unknown'], null);
      await temporal.cancelWorkflow(cluster, operationId).catch((error: unknown) => {
        // It has ended meanwhile.
        if (!(KubewrightError.is(error) && error.code === 'NOT_FOUND')) throw error;
      });
      logger?.warn(
        { cluster, operation: operationId },
        'the store does not have an operation that Temporal runs: the API cancelled it',
      );
    }
  }

  /** What the service itself did about an operation, in the operation's chain. */
  async function record(cluster: string, operationId: string, argv: string[], error: ErrorCode | null): Promise<void> {
    const at = new Date();
    await store.journal.record(
      {
        ...{ kind: 'operation', cluster, operation: operationId, actor: ACTORS.service, requestId: '' },
        ...{ argv, workflowId: operationWorkflowId(cluster, operationId) },
        ...{ stdinSha256: null, stdinBytes: 0, startedAt: at },
      },
      { ...NO_OUTPUT, endedAt: at, code: null, error },
    );
  }

  /** As the operation itself would: its last record, then its status. The bundle builder makes its bundle. */
  async function close(operation: OperationStatus): Promise<void> {
    const { cluster, operationId } = operation;
    const error: ErrorReport = {
      code: 'OPERATION_LOST',
      message: `Temporal has no running workflow for operation ${operationId}: its data was lost or replaced, or the workflow was terminated or deleted there`,
    };
    await record(cluster, operationId, ['close', 'lost'], error.code);
    const { pause: _pause, quarantine: _quarantine, ...status } = operation;
    await store.projections.saveOperation({
      ...status,
      state: 'lost',
      endedAt: new Date().toISOString(),
      blockedHosts: [],
      error,
    });
  }

  return {
    sweep,
    start() {
      const ending = new AbortController();
      const run = async (): Promise<void> => {
        while (!ending.signal.aborted) {
          const pause = await sweep().then(
            () => SWEEP_MS,
            (error: unknown) => {
              logger?.warn({ err: error }, 'the API could not compare its operations with those of Temporal');
              return RETRY_MS;
            },
          );
          await sleep(pause, undefined, { signal: ending.signal }).catch(() => undefined);
        }
      };
      const running = run();
      return async () => {
        ending.abort();
        await running;
      };
    },
  };
}
