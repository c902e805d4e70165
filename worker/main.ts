import { mkdirSync } from 'node:fs';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { createActivityDeps } from '../activities/deps.ts';
import { createActivities } from '../activities/index.ts';
import { type ErrorCode, KubewrightError } from '../contracts/errors.ts';
import { EXIT, type ExitCode } from '../contracts/exit-codes.ts';
import { openStore } from '../store/index.ts';
import { openKeyring } from '../store/keyring.ts';
import { processRegistry } from '../telemetry/registry.ts';
import { type WorkerConfig, workerConfig } from './config.ts';
import { endAbandonedTemporal } from './data-dir.ts';
import { apiChannel, EMBEDDED_ARGUMENT } from './embedded.ts';
import { createLogger } from './logger.ts';
import { workerMetrics } from './metrics.ts';
import { offerMetrics } from './metrics-offer.ts';
import { SHUTDOWN_FORCE_MS } from './options.ts';
import { keepPresence } from './presence.ts';
import { startWorkers } from './run.ts';
import { installRuntime } from './runtime.ts';
import { prepareNamespace } from './temporal-server/namespace.ts';
import { trustIn } from './trust.ts';

// The process that runs workflows and activities. Production starts as many as wanted; `npm start` starts one, with
// `--embedded` (api/worker-process.ts). Its exit codes: contracts/exit-codes.ts.
const embedded = process.argv.includes(EMBEDDED_ARGUMENT);
const config = configuration();
const logger = createLogger({ level: config.logLevel, ...(embedded ? { base: { process: 'worker' } } : {}) });

/** An embedded Temporal is started at the same time as the worker, and a busy machine takes its time, ms. */
const EMBEDDED_SETTLE_MS = 60_000;

/** Closed in reverse order, whether it is the end or a failed start. */
const parts: (() => Promise<void> | void)[] = [];
let exitCode: ExitCode = EXIT.stopped;
let ending = false;
/** The API process is gone, so this process ends its Temporal. */
let abandoned = false;
const grace = closeWithGrace({ delay: SHUTDOWN_FORCE_MS + 5_000, logger: false }, async ({ signal, err }) => {
  ending = true;
  if (err) logger.fatal({ err }, 'the worker stops after an error');
  else logger.info({ signal }, 'the worker stops');
  await close();
  // Also when the API process was lost while this one was ending already.
  if (abandoned) await endAbandonedTemporal(config.dataDir);
  // Without this the library's own code counts, 0 or 1.
  if (exitCode !== EXIT.stopped) process.exit(exitCode);
});
const end = (code: ExitCode): void => {
  if (ending) return;
  exitCode = code;
  grace.close();
};

/** What trying again changes nothing about is configuration. */
const EXIT_BY_CODE: Partial<Record<ErrorCode, ExitCode>> = {
  TEMPORAL_UNAVAILABLE: EXIT.temporalLost,
  TEMPORAL_TLS_FAILED: EXIT.configuration,
  TEMPORAL_NOT_ALLOWED: EXIT.configuration,
  TEMPORAL_SETUP_MISSING: EXIT.configuration,
};

try {
  await start(config);
} catch (error) {
  if (!ending) {
    logger.fatal({ err: error }, 'the worker could not start');
    await close();
    process.exit(KubewrightError.is(error) ? (EXIT_BY_CODE[error.code] ?? EXIT.failed) : EXIT.failed);
  }
}

async function start(given: WorkerConfig): Promise<void> {
  mkdirSync(given.dataDir, { recursive: true, mode: 0o700 });
  const channel = apiChannel(() => {
    logger.warn('the API process ended: this worker stops, and stops its Temporal server');
    abandoned = true;
    end(EXIT.stopped);
  });
  const metrics = given.metrics && (await offerMetrics(given.metrics, { logger, embedded }));
  installRuntime(logger, metrics?.sdkAddress);
  if (metrics) parts.push(() => metrics.close());
  const keyring = openKeyring(given.dataDir, given.secretKey);
  const store = await openStore({ url: given.databaseUrl, dataDir: given.dataDir, keyring, logger });
  parts.push(() => store.close());
  const deps = await createActivityDeps(store, logger, given.timeouts, given.loginPaths, (connections) =>
    workerMetrics(metrics?.registry ?? processRegistry('worker'), connections),
  );
  parts.push(() => deps.close());
  const { address, namespace, connect } = given.temporal;
  // Changes nothing when the namespace is right already; workflows fail without its search attributes.
  await prepareNamespace({
    ...{ address, namespace, connect },
    retryForMs: embedded ? EMBEDDED_SETTLE_MS : undefined,
  });
  const workers = await startWorkers({
    ...{ address, namespace, connect },
    activities: createActivities(deps),
    ...trustIn(store, logger),
  });
  parts.push(() => workers.shutdown());
  workers.run.then(
    () => lost(logger, new Error('the workers stopped without a request to stop')),
    (error: unknown) => lost(logger, error),
  );
  parts.push(keepPresence({ processes: store.processes, ping: () => workers.ping(), logger }));
  channel?.follow(store.projections);
  logger.info({ address }, 'the worker is running');
  channel?.ready(metrics?.url);
}

/** Whatever Temporal's core does not repeat by itself. A supervisor starts the process again. */
function lost(log: Logger, error: unknown): void {
  if (ending) return;
  log.fatal({ err: error }, 'a worker stopped unexpectedly: the process exits, so that its supervisor restarts it');
  end(EXIT.workerLost);
}

async function close(): Promise<void> {
  for (const part of parts.splice(0).reverse()) {
    await Promise.resolve(part()).catch((error: unknown) =>
      logger.warn({ err: error }, 'a part of the process did not close'),
    );
  }
}

function configuration(): WorkerConfig {
  try {
    return workerConfig(process.env);
  } catch (error) {
    process.stderr.write(`kubewright worker: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(EXIT.configuration);
  }
}
