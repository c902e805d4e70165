import { setTimeout as sleep } from 'node:timers/promises';
import { makeBundle, type WorkflowHistory } from '../audit/make-bundle.ts';
import type { Signer } from '../audit/signing-key.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { BundleInfo } from '../store/bundles.ts';
import { canonicalJson } from '../store/canonical.ts';
import { FINAL_STATES } from '../store/changes.ts';
import type { Store } from '../store/index.ts';
import type { TemporalGateway } from './temporal-gateway.ts';

export interface BundleBuilderOptions {
  store: Store;
  temporal: Pick<TemporalGateway, 'histories'>;
  signer: Signer;
  /** A folder for what is being packed. */
  spool: string;
  /** Signs the heads of all chains: a bundle then names an anchor of all that was before it. */
  sign?: (() => Promise<void>) | undefined;
  logger?: { warn(details: object, message: string): void } | undefined;
}

/** Seals operations that are over, each into one bundle in our store, long before Temporal forgets them. */
export interface BundleBuilder {
  signer: Signer;
  /** The bundle of an operation; makes it when there is none. Throws NOT_FOUND, CONFLICT (it still runs). */
  bundle(cluster: string, operation: string): Promise<BundleInfo>;
  /** Seals what ends from now on, and what was left over. Returns the function that ends it. */
  start(): () => Promise<void>;
}

/** How often the store is searched for operations that are over and have no bundle, ms. */
const SWEEP_MS = 30_000;
/** Looks at one sweep. */
const PER_SWEEP = 20;
/** The status is final a moment before the workflow is: tries until it is, ms apart. */
const TRIES = 5;
const TRY_MS = 1_000;

export function createBundleBuilder({
  store,
  temporal,
  signer,
  spool,
  sign,
  logger,
}: BundleBuilderOptions): BundleBuilder {
  const making = new Map<string, Promise<BundleInfo>>();

  async function make(cluster: string, operation: string): Promise<BundleInfo> {
    const status = await store.projections.operation(cluster, operation);
    if (!status) throw new KubewrightError('NOT_FOUND', `the cluster ${cluster} has no operation ${operation}`);
    if (!FINAL_STATES.has(status.state)) {
      throw new KubewrightError('CONFLICT', `the operation ${operation} is ${status.state}: it is sealed at its end`);
    }
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await store.bundles.save(cluster, operation, await pack(cluster, operation));
      } catch (error) {
        const early = KubewrightError.is(error) && error.code === 'CONFLICT';
        if (!early || attempt >= TRIES) throw error;
        await sleep(TRY_MS);
      }
    }
  }

  async function pack(cluster: string, operation: string): Promise<AsyncIterable<Uint8Array>> {
    const plan = await store.plans.get(cluster, operation);
    const histories = async function* (): AsyncGenerator<WorkflowHistory> {
      try {
        yield* temporal.histories(cluster, operation);
      } catch (error) {
        // Without history the bundle still proves itself; it says that it holds none.
        if (!(KubewrightError.is(error) && error.code === 'NOT_FOUND')) throw error;
      }
    };
    const text = plan === null ? null : canonicalJson(plan);
    // The next turn signs what this one could not.
    await sign?.().catch((error: unknown) =>
      logger?.warn({ err: error }, 'the service could not sign the journal before it made a bundle'),
    );
    return makeBundle({ store, signer, spool }, { cluster, operation }, histories(), () => text);
  }

  function bundle(cluster: string, operation: string): Promise<BundleInfo> {
    const key = `${cluster}/${operation}`;
    const known = making.get(key);
    if (known) return known;
    const fresh = store.bundles
      .find(cluster, operation)
      .then((found) => found ?? make(cluster, operation))
      .finally(() => making.delete(key));
    making.set(key, fresh);
    return fresh;
  }

  return {
    signer,
    bundle,
    start() {
      const ending = new AbortController();
      let wake = (): void => undefined;
      const off = store.projections.onChange(() => wake());
      const run = async (): Promise<void> => {
        while (!ending.signal.aborted) {
          const woken = new Promise<void>((resolve) => {
            wake = resolve;
          });
          try {
            for (const { cluster, operation } of await store.bundles.missing(PER_SWEEP)) {
              if (ending.signal.aborted) return;
              await bundle(cluster, operation).catch((error: unknown) =>
                logger?.warn(
                  { err: error, cluster, operation },
                  'the service could not make the bundle of an operation; it tries again',
                ),
              );
            }
          } catch (error) {
            logger?.warn({ err: error }, 'the service could not read from the store which operations need a bundle');
          }
          await Promise.race([woken, sleep(SWEEP_MS, undefined, { signal: ending.signal }).catch(() => undefined)]);
          // Changes come in swarms while an operation runs.
          await sleep(TRY_MS, undefined, { signal: ending.signal }).catch(() => undefined);
        }
      };
      const running = run();
      return async () => {
        off();
        ending.abort();
        wake();
        await running;
      };
    },
  };
}
