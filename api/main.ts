import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { loadKinds } from '../activities/operations/kind-loader.ts';
import { loadPhases } from '../activities/phases/phase-loader.ts';
import { COMMAND_KEY_FILE, openSigner } from '../audit/signing-key.ts';
import { openSinks } from '../audit/sinks/index.ts';
import { apiConverter } from '../codec/data-converter.ts';
import { payloadCodec } from '../codec/payload-codec.ts';
import { knockAtTemporal } from '../codec/temporal-trouble.ts';
import { KubewrightError } from '../contracts/errors.ts';
import { EXIT, type ExitCode } from '../contracts/exit-codes.ts';
import { openStore, type Store } from '../store/index.ts';
import { openKeyring } from '../store/keyring.ts';
import { processRegistry } from '../telemetry/registry.ts';
import { createLogger } from '../worker/logger.ts';
import { ensureAdminToken } from './admin-token.ts';
import { createAnchorer } from './anchorer.ts';
import { buildApp } from './app.ts';
import { buildUi } from './build-ui.ts';
import { createBundleBuilder } from './bundle-builder.ts';
import { clusterAccess } from './cluster-access.ts';
import { type ApiConfig, parseConfig } from './config.ts';
import type { Embedded } from './embedded.ts';
import { loginLink } from './login-link.ts';
import { openReadiness } from './readiness/index.ts';
import { createReconciler } from './reconciler.ts';
import { createJanitor } from './retention.ts';
import { temporalGateway } from './temporal-client.ts';
import { readTls, watchTls } from './tls.ts';

/** Time for commands on hosts to be cancelled and for Temporal to close its database, ms. */
const CLOSE_MS = 38_000;
/**
 * Longest pause between two attempts to connect to a Temporal that is unreachable, ms. gRPC's own is two minutes, for which a
 * server that is back would still count as away.
 */
const RECONNECT_MS = 2_000;

/** Closed in reverse order, whether it is the end or a failed start. */
type Parts = (() => Promise<void> | void)[];

/**
 * `npm start`: this process is the API, and starts and supervises Temporal and a worker as processes of their own; with
 * KUBEWRIGHT_PROCESS=api it is the API alone. Its exit codes: contracts/exit-codes.ts.
 */
async function main(config: ApiConfig, logger: Logger): Promise<void> {
  const parts: Parts = [];
  let closing: Promise<void> | undefined;
  // Runs once: a signal during the end of a failed start waits for that end.
  const close = () => (closing ??= closeAll());
  const closeAll = async () => {
    for (const part of parts.splice(0).reverse()) {
      await Promise.resolve(part()).catch((error: unknown) =>
        logger.warn({ err: error }, 'a part of the process did not close'),
      );
    }
  };
  let code: ExitCode = EXIT.stopped;
  const grace = closeWithGrace({ delay: CLOSE_MS, logger: false }, async ({ signal, err }) => {
    if (err) logger.fatal({ err }, 'the API stops after an error');
    else logger.info({ signal }, 'the API stops');
    await close();
    // Without this the library's own code counts, 0 or 1.
    if (code !== EXIT.stopped) process.exit(code);
  });
  const end = (why: ExitCode) => {
    code = why;
    grace.close();
  };
  // Started by `npm start`: killing that process ends the service.
  if (process.connected) process.once('disconnect', () => end(EXIT.stopped));

  try {
    await start(config, logger, { parts, end });
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  config: ApiConfig,
  logger: Logger,
  { parts, end }: { parts: Parts; end: (code: ExitCode) => void },
): Promise<void> {
  const { dataDir } = config;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const embedding = config.process === 'all' ? await openEmbedding(config) : null;
  if (embedding) parts.push(embedding.release);

  const keyring = openKeyring(dataDir, config.secretKey);
  const store = await openStore({ url: config.databaseUrl, dataDir, keyring, logger });
  parts.push(() => store.close());
  const tokenFile = await ensureAdminToken(dataDir, store);

  const embedded = embedding && (await embedding.start(store, logger, end));
  if (embedded) parts.push(() => embedded.close());
  // Lazy: an API whose Temporal is unreachable reports it in /readyz and serves what it has.
  const connection = Connection.lazy({
    address: embedded?.temporalAddress ?? config.temporal.address!,
    ...config.temporal.connect,
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 250, 'grpc.max_reconnect_backoff_ms': RECONNECT_MS },
  });
  parts.push(() => connection.close());

  const commandSigner = openSigner(dataDir, config.commandKey, COMMAND_KEY_FILE);
  await store.commandKeys.register(commandSigner.fingerprint, commandSigner.publicKey);
  const temporal = temporalGateway(connection, {
    namespace: config.temporal.namespace,
    dataConverter: apiConverter(store.payloadKeys, commandSigner),
  });
  const signer = openSigner(dataDir, config.auditKey);
  const ca = config.anchors.caFile === undefined ? undefined : readFileSync(config.anchors.caFile, 'utf8');
  const sinks = openSinks(config.anchors.sinks, { signer, ca });
  const { everyMs } = config.anchors;
  const anchorer = createAnchorer({ store, signer, dataDir, sinks, everyMs, logger });
  // Before the rest: it ends behind the rest, and signs what was written until then.
  parts.push(anchorer.start());
  const spool = join(dataDir, 'spool');
  const bundleBuilder = createBundleBuilder({ store, temporal, signer, spool, sign: () => anchorer.sign(), logger });
  const tls = config.tls && readTls(config.tls);
  const phases = await loadPhases();
  const app = await buildApp(
    {
      store,
      temporal,
      metrics: processRegistry('api'),
      ...(embedded ? { workerMetricsUrl: () => embedded.workerMetricsUrl() } : {}),
      readiness: await openReadiness({ config, store, temporal, embedded, logger }),
      bundleBuilder,
      limits: config.limits,
      phases,
      kinds: await loadKinds(phases),
      ...clusterAccess(store, phases),
      codec: payloadCodec(store.payloadKeys),
      loginPaths: config.loginPaths,
      temporalUiOrigin: config.temporalUiOrigin ?? embedded?.temporalUiOrigin,
    },
    { logger, https: tls, trustProxy: config.trustProxy, checkAnswers: config.checkAnswers },
  );
  parts.push(() => app.close());
  if (config.tls && tls) parts.push(watchTls(app.server, config.tls, tls, logger));
  parts.push(bundleBuilder.start());
  parts.push(createJanitor({ store, signer, keep: config.retention, logger }).start());
  parts.push(createReconciler({ store, temporal, logger }).start());
  const url = await app.listen({ host: config.host, port: config.port });
  // Its workers end with the same words; this process goes on serving what it knows, and /readyz says why.
  if (!embedded) {
    void knockAtTemporal(config.temporal).then((trouble) => {
      if (trouble) logger.error({ err: trouble }, 'the Temporal server does not accept this API');
    });
  }
  logger.info(
    { url, ui: `${url}/ui/`, docs: `${url}/docs`, tokenFile, dataDir },
    'Kubewright is ready; the token logs in to the web UI',
  );
  void buildUi().then(
    (built) => built && logger.info('the API built the web UI'),
    (error: unknown) => logger.warn({ err: error }, 'the API could not build the web UI, and runs without it'),
  );
  // For a person alone: a link in a log would log in who reads it.
  if (process.stderr.isTTY) {
    const link = await loginLink(store, tokenFile, url);
    process.stderr.write(`\nKubewright at ${url}   docs at ${url}/docs   token in ${tokenFile}\n`);
    process.stderr.write(link === null ? '\n' : `Web UI, logs in once within 5 minutes: ${link}\n\n`);
  }
}

/** Takes hold of the data directory; the rest of the embedded mode is started when the store is open. */
async function openEmbedding(config: ApiConfig) {
  const { dataDir, port } = config;
  const [{ lockDataDir }, { startEmbedded }] = await Promise.all([
    import('../worker/data-dir.ts'),
    import('./embedded.ts'),
  ]);
  return {
    release: lockDataDir(dataDir, port),
    start: (store: Store, logger: Logger, end: (code: ExitCode) => void): Promise<Embedded> =>
      startEmbedded({
        ...{ store, dataDir, temporalAddress: config.temporal.address, logger },
        codecEndpoint: codecEndpointOf(config),
        onGiveUp(part, reason) {
          logger.fatal(
            { part, reason },
            'a part of the service does not stay up: the process exits, so that its supervisor restarts it',
          );
          end(part === 'temporal' ? EXIT.temporalLost : EXIT.workerLost);
        },
      }),
  };
}

/** Where Temporal's UI finds /codec; unknown when the kernel chooses the port. */
function codecEndpointOf({ host, port, tls }: ApiConfig): string | undefined {
  if (port === 0) return undefined;
  const name = ['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host;
  return `${tls ? 'https' : 'http'}://${name.includes(':') ? `[${name}]` : name}:${port}/codec`;
}

function configuration(): ApiConfig {
  try {
    return parseConfig(process.env);
  } catch (error) {
    say(error);
    process.exit(EXIT.configuration);
  }
}

function say(error: unknown): void {
  const evidence = KubewrightError.is(error) && error.evidence ? `\n${error.evidence}` : '';
  process.stderr.write(`kubewright: ${error instanceof Error ? error.message : String(error)}${evidence}\n`);
}

const config = configuration();
try {
  await main(config, createLogger({ level: config.logLevel, base: null }));
} catch (error) {
  say(error);
  const temporal = KubewrightError.is(error) && error.code === 'TEMPORAL_UNAVAILABLE';
  process.exit(temporal ? EXIT.temporalLost : EXIT.failed);
}
