import type { Logger } from 'pino';
import type { Store } from '../store/index.ts';
import { endLeftoverWorker } from '../worker/data-dir.ts';
import { cacheRoot } from '../worker/temporal-server/resolve.ts';
import { planTemporalServer, startTemporalServer } from '../worker/temporal-server/start.ts';
import { type Running, type Supervisor, supervise } from './supervisor.ts';
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts';

/** Temporal and a worker as processes of their own, kept up by the API process. */
export interface Embedded {
  temporalAddress: string;
  /** Where Temporal's own UI is served from, when there is one. */
  temporalUiOrigin: string | undefined;
  /** False while the worker process is down and is restarted. */
  workerUp: () => boolean;
  /** Where the worker process of now serves its metrics. */
  workerMetricsUrl: () => string | undefined;
  /** The folder of programs and workflow bundles. */
  cacheDir: string;
  close(): Promise<void>;
}

export interface EmbeddedOptions {
  store: Store;
  dataDir: string;
  temporalAddress: string | undefined;
  /** Where Temporal's UI has payloads opened. */
  codecEndpoint: string | undefined;
  /** Called once when a part does not stay up. */
  onGiveUp: (part: 'temporal' | 'worker', reason: string) => void;
  logger: Logger;
}

/** One run of the Temporal server. */
interface TemporalRun extends Running {
  uiUrl: string;
}

type TemporalPlan = Awaited<ReturnType<typeof planTemporalServer>>;

/**
 * Start Temporal (unless an address is given) and the worker. What was started is ended again when a later part fails.
 * Secret key and schema exist by now, so the worker makes neither.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { dataDir, logger } = options;
  const leftover = endLeftoverWorker(dataDir);
  // Found, downloaded or built before anything waits for the server.
  const own =
    options.temporalAddress === undefined ? await planTemporalServer(dataDir, (line) => logger.info(line)) : null;
  const address = options.temporalAddress ?? own!.address;
  await leftover;
  // The worker loads its modules while the server starts.
  const failing = new AbortController();
  const started = await Promise.allSettled([
    own &&
      keepServer(options, own).catch((error: unknown) => {
        failing.abort();
        throw error;
      }),
    keepWorker(options, address, failing.signal),
  ]);
  const server = started[0].status === 'fulfilled' ? started[0].value : null;
  const worker = started[1].status === 'fulfilled' ? started[1].value : null;
  const failed = started.find((each) => each.status === 'rejected');
  if (failed || !worker) {
    await worker?.stop();
    await server?.stop();
    throw failed?.reason;
  }
  const uiUrl = server?.part.uiUrl ?? '';
  if (uiUrl !== '') logger.info({ url: uiUrl }, 'the UI of Temporal is available');
  return {
    temporalAddress: address,
    temporalUiOrigin: uiUrl || undefined,
    workerUp: () => worker.up,
    workerMetricsUrl: () => (worker.up ? worker.part.metricsUrl : undefined),
    cacheDir: cacheRoot(),
    async close() {
      // The worker reports to Temporal that its tasks were cancelled.
      await worker.stop();
      await server?.stop();
    },
  };
}

function keepServer(options: EmbeddedOptions, plan: TemporalPlan): Promise<Supervisor<TemporalRun>> {
  return supervise({
    name: 'temporal',
    start: (again: TemporalRun | null) => startServer(options, plan, again),
    logger: options.logger,
    onGiveUp: (reason) => options.onGiveUp('temporal', reason),
  });
}

function keepWorker(
  { store, dataDir, temporalAddress, logger, onGiveUp }: EmbeddedOptions,
  address: string,
  signal: AbortSignal,
) {
  return supervise<WorkerProcess>({
    name: 'worker',
    start: () =>
      startWorkerProcess({
        env: {
          ...workerEnvironment(process.env, temporalAddress),
          KUBEWRIGHT_DATA: dataDir,
          TEMPORAL_ADDRESS: address,
        },
        ...{ dataDir, signal },
        onChange: (cluster) => store.projections.changed(cluster),
      }),
    logger,
    onGiveUp: (reason) => onGiveUp('worker', reason),
  });
}

/** What the API alone signs with. */
const SIGNING_KEYS = ['KUBEWRIGHT_COMMAND_KEY', 'KUBEWRIGHT_AUDIT_KEY'].flatMap((name) => [name, `${name}_FILE`]);

/** The worker's environment: without those keys, and for our own server without what names another one. */
function workerEnvironment(env: NodeJS.ProcessEnv, temporalAddress: string | undefined): NodeJS.ProcessEnv {
  const isOurs = (name: string) =>
    temporalAddress === undefined && name.startsWith('TEMPORAL_') && name !== 'TEMPORAL_NAMESPACE';
  const kept = Object.entries(env).filter(([name]) => !SIGNING_KEYS.includes(name) && !isOurs(name));
  // No profile of the user's either.
  return {
    ...Object.fromEntries(kept),
    ...(temporalAddress === undefined ? { TEMPORAL_CONFIG_FILE: '/nowhere/temporal.toml' } : {}),
  };
}

/** Started again, it has the same ports: workers and clients find it by themselves. */
async function startServer(
  { dataDir, codecEndpoint, logger }: EmbeddedOptions,
  { binary, port }: TemporalPlan,
  again: TemporalRun | null,
): Promise<TemporalRun> {
  const server = await startTemporalServer({
    ...{ dataDir, codecEndpoint, binary, port },
    uiPort: again ? portOf(again.uiUrl) : undefined,
    onLog: (line) => logger.info(line),
  });
  const stopping = new AbortController();
  const ended = server.watch(stopping.signal);
  return {
    uiUrl: server.uiUrl,
    // Never after stop().
    ended: ended.then((reason) => reason ?? new Promise<string>(() => undefined)),
    async stop() {
      stopping.abort();
      await ended;
      await server.close();
    },
  };
}

function portOf(address: string): number | undefined {
  const port = Number(/:(\d+)$/.exec(address)?.[1]);
  return Number.isInteger(port) ? port : undefined;
}
