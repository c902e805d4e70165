import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createActivityDeps } from '../activities/deps.ts';
import { createActivities } from '../activities/index.ts';
import { dataConverter } from '../codec/data-converter.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { Timeouts } from '../contracts/timeouts.ts';
import type { Store } from '../store/index.ts';
import { workflowBundlePath } from '../worker/bundle.ts';
import { startWorkers } from '../worker/run.ts';
import { installRuntime } from '../worker/runtime.ts';
import { readRecord, removeRecord, startTimeOf, writeRecord } from '../worker/temporal-server/server-record.ts';
import { startTemporalServer } from '../worker/temporal-server/start.ts';

/** Worker and Temporal inside the API's process. */
export interface Embedded {
  temporalAddress: string;
  /** Where Temporal's own UI is served from, when there is one. */
  temporalUiOrigin: string | undefined;
  /** Rejects when a worker dies of itself. */
  run: Promise<void>;
  close(): Promise<void>;
}

/**
 * Hold a data directory: two services on one SQLite file, with two sets of workers, would disturb each other. A killed
 * service's hold counts no longer. Returns the function that lets go. Throws CONFLICT.
 */
export function holdDataDir(dataDir: string, port: number): () => void {
  const folder = join(dataDir, 'service');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const other = readRecord(folder);
  if (other && other.pid !== process.pid) {
    throw new KubewrightError(
      'CONFLICT',
      `process ${other.pid} serves ${dataDir} already (port ${other.port}); stop it, or choose another KUBEWRIGHT_DATA`,
    );
  }
  writeRecord(folder, { pid: process.pid, startTime: startTimeOf(process.pid) ?? '', port, uiPort: 0 });
  return () => removeRecord(folder);
}

/** Start Temporal (unless an address is given) and the workers. What was started is ended again when a later part fails. */
export async function startEmbedded(options: {
  store: Store;
  dataDir: string;
  temporalAddress: string | undefined;
  namespace: string | undefined;
  timeouts: Timeouts;
  loginPaths: readonly string[];
  /** Where Temporal's UI has payloads opened. */
  codecEndpoint: string | undefined;
  logger: Logger;
}): Promise<Embedded> {
  const { store, dataDir, logger } = options;
  const say = (line: string) => logger.info(line);
  installRuntime(logger);
  const [server, bundlePath, deps] = await Promise.all([
    options.temporalAddress === undefined
      ? startTemporalServer({ dataDir, onLog: say, codecEndpoint: options.codecEndpoint })
      : null,
    workflowBundlePath({ onProgress: say }),
    createActivityDeps(store, logger, options.timeouts, options.loginPaths),
  ]);
  const address = options.temporalAddress ?? server!.address;
  const release = async () => {
    await deps.close();
    await server?.close();
  };
  try {
    const workers = await startWorkers({
      address,
      namespace: options.namespace,
      activities: createActivities(deps),
      dataConverter: dataConverter(store.payloadKeys),
      bundlePath,
    });
    if (server && server.uiUrl !== '') logger.info({ url: server.uiUrl }, "Temporal's own UI");
    return {
      temporalAddress: address,
      temporalUiOrigin: server?.uiUrl || undefined,
      run: workers.run,
      async close() {
        await workers.shutdown().catch((error: unknown) => logger.warn({ err: error }, 'a worker ended badly'));
        await release();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}
