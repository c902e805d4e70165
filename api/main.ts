import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { loadPhases } from '../activities/phases/registry.ts';
import { openSigner } from '../audit/signing-key.ts';
import { dataConverter } from '../codec/data-converter.ts';
import { payloadCodec } from '../codec/payload-codec.ts';
import { KubewrightError } from '../contracts/errors.ts';
import { openStore } from '../store/index.ts';
import { openKeyring } from '../store/keyring.ts';
import { createLogger } from '../worker/logger.ts';
import { ensureAdminToken } from './admin-token.ts';
import { buildApp } from './app.ts';
import { createArchivist } from './archivist.ts';
import { clusterAccess } from './cluster-access.ts';
import { type ApiConfig, parseConfig } from './config.ts';
import type { Embedded } from './embedded.ts';
import { createReconciler } from './reconciler.ts';
import { temporalGateway } from './temporal-client.ts';
import { readTls, watchTls } from './tls.ts';

/** Time for commands on hosts to be cancelled and for Temporal to close its database, ms. */
const CLOSE_MS = 38_000;

/** `npm start`: API, worker and Temporal in one process (and a child), or with KUBEWRIGHT_PROCESS=api the API alone. */
async function main(config: ApiConfig, logger: Logger): Promise<void> {
  // Closed in reverse order, whether it is the end or a failed start.
  const parts: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (const part of parts.splice(0).reverse()) {
      await Promise.resolve(part()).catch((error: unknown) => logger.warn({ err: error }, 'a part did not close'));
    }
  };
  closeWithGrace({ delay: CLOSE_MS, logger: false }, async ({ signal, err }) => {
    if (err) logger.fatal({ err }, 'ending');
    else logger.info({ signal }, 'ending');
    await close();
  });

  try {
    await start(config, logger, parts);
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(config: ApiConfig, logger: Logger, parts: (() => Promise<void> | void)[]): Promise<void> {
  const { dataDir } = config;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const all = config.process === 'all' ? await import('./embedded.ts') : null;
  if (all) parts.push(all.holdDataDir(dataDir, config.port));

  const keyring = openKeyring(dataDir, config.secretKey);
  const store = await openStore({ url: config.databaseUrl, dataDir, keyring, logger });
  parts.push(() => store.close());
  const tokenFile = await ensureAdminToken(dataDir, store);

  let embedded: Embedded | null = null;
  if (all) {
    embedded = await all.startEmbedded({
      store,
      dataDir,
      temporalAddress: config.temporalAddress,
      namespace: config.temporalNamespace,
      timeouts: config.timeouts,
      loginPaths: config.loginPaths,
      codecEndpoint: codecEndpointOf(config),
      logger,
    });
    parts.push(() => embedded?.close());
  }
  // Lazy: an API whose Temporal is away for a while says so in /readyz and serves what it knows.
  const connection = Connection.lazy({ address: embedded?.temporalAddress ?? config.temporalAddress! });
  parts.push(() => connection.close());

  const temporal = temporalGateway(connection, {
    namespace: config.temporalNamespace,
    dataConverter: dataConverter(store.payloadKeys),
  });
  const signer = openSigner(dataDir, config.auditKey);
  const archivist = createArchivist({ store, temporal, signer, spool: join(dataDir, 'spool'), logger });
  const tls = config.tls && readTls(config.tls);
  const app = await buildApp(
    {
      store,
      temporal,
      archivist,
      phases: await loadPhases(),
      ...clusterAccess(store),
      codec: payloadCodec(store.payloadKeys),
      loginPaths: config.loginPaths,
      temporalUiOrigin: config.temporalUiOrigin ?? embedded?.temporalUiOrigin,
    },
    { logger, https: tls, trustProxy: config.trustProxy },
  );
  parts.push(() => app.close());
  if (config.tls && tls) parts.push(watchTls(app.server, config.tls, tls, logger));
  parts.push(archivist.start());
  parts.push(createReconciler({ store, temporal, logger }).start());
  const url = await app.listen({ host: config.host, port: config.port });
  embedded?.run.catch((error: unknown) => {
    logger.fatal({ err: error }, 'a worker died; ending, to be started again');
    process.exitCode = 1;
    process.kill(process.pid, 'SIGTERM');
  });
  logger.info({ url, docs: `${url}/docs`, tokenFile, dataDir }, 'Kubewright is ready');
  if (process.stderr.isTTY)
    process.stderr.write(`\nKubewright at ${url}   docs at ${url}/docs   token in ${tokenFile}\n\n`);
}

/** Where Temporal's UI finds /codec; unknown when the kernel chooses the port. */
function codecEndpointOf({ host, port, tls }: ApiConfig): string | undefined {
  if (port === 0) return undefined;
  const name = ['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host;
  return `${tls ? 'https' : 'http'}://${name.includes(':') ? `[${name}]` : name}:${port}/codec`;
}

try {
  const config = parseConfig(process.env);
  await main(config, createLogger({ level: config.logLevel, base: null }));
} catch (error) {
  const evidence = KubewrightError.is(error) && error.evidence ? `\n${error.evidence}` : '';
  process.stderr.write(`kubewright: ${error instanceof Error ? error.message : String(error)}${evidence}\n`);
  process.exit(1);
}
