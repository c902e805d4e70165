import { mkdirSync } from 'node:fs';
import closeWithGrace from 'close-with-grace';

import { createActivityDeps } from '../activities/deps.ts';
import { createActivities } from '../activities/index.ts';
import { dataConverter } from '../codec/data-converter.ts';
import { openStore } from '../store/index.ts';
import { openKeyring } from '../store/keyring.ts';
import { type WorkerConfig, workerConfig } from './config.ts';
import { createLogger } from './logger.ts';
import { SHUTDOWN_FORCE_MS } from './options.ts';
import { type RunningWorkers, startWorkers } from './run.ts';
import { installRuntime } from './runtime.ts';
import { prepareNamespace } from './temporal-server/namespace.ts';

// A worker by itself, as many as wanted: production. Embedded, the API's process does this (api/embedded.ts).
const config = workerConfig(process.env);
const logger = createLogger({ level: config.logLevel });
const workers = await start(config).catch((error: unknown) => {
  logger.fatal({ err: error }, 'the worker could not be started');
  process.exit(1);
});
logger.info({ address: config.address }, 'worker is running');
await workers.run;

async function start(given: WorkerConfig): Promise<RunningWorkers> {
  mkdirSync(given.dataDir, { recursive: true, mode: 0o700 });
  installRuntime(logger);
  const keyring = openKeyring(given.dataDir, given.secretKey);
  const store = await openStore({ url: given.databaseUrl, dataDir: given.dataDir, keyring, logger });
  const deps = await createActivityDeps(store, logger, given.timeouts, given.loginPaths);
  const tls = given.tls ? { tls: given.tls } : {};
  // Changes nothing when the namespace is right already; workflows fail without its search attributes.
  await prepareNamespace({ address: given.address, namespace: given.namespace, connect: tls });
  const running = await startWorkers({
    address: given.address,
    namespace: given.namespace,
    connect: tls,
    activities: createActivities(deps),
    dataConverter: dataConverter(store.payloadKeys),
  });
  closeWithGrace({ delay: SHUTDOWN_FORCE_MS + 5_000, logger: false }, async ({ signal, err }) => {
    if (err) logger.fatal({ err }, 'ending');
    else logger.info({ signal }, 'ending');
    await running.shutdown();
    await deps.close();
    await store.close();
  });
  return running;
}
