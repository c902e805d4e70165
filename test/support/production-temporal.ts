import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../cli/dev/services.ts';
import { ensureProgram } from '../../lab/programs/ensure.ts';
import { temporalServer } from '../../lab/programs/recipes.ts';
import { run, tryRun } from '../../lab/run.ts';
import { resolveTemporalBinary } from '../../worker/temporal-server/resolve.ts';
import { DATABASE_PASSWORDS, type Postgres } from './postgres.ts';
import { certificateAuthority } from './tls-temporal.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Starting with 512 shards beside everything else that the machine does, ms. */
const READY_MS = 120_000;

/** Temporal's server as production runs it: its own program, on PostgreSQL, with the settings of docker-compose.yml. */
export interface ProductionTemporal {
  /** host:port of its frontend. */
  address: string;
  /** host:port of the services behind it, which speak to one another only. */
  internode: readonly string[];
  /** `temporal ...` against it, as in deploy/temporal; the exit code and what it printed. */
  cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /** End it without warning. */
  kill(): Promise<void>;
  /** Start it again on the same database and address, and wait until its frontend serves. */
  start(): Promise<void>;
  stop(): Promise<void>;
  log(): string;
}

export interface ProductionTemporalOptions {
  /** With its users made by setupRoles(). */
  postgres: Postgres;
  /** Further settings, such as TEMPORAL_TLS_*: see the template inside the server. */
  env?: Record<string, string>;
  /** For the `temporal` program: addresses, TLS. */
  cliEnv?: Record<string, string>;
  onProgress?: (line: string) => void;
}

/** Builds the server when the cache has none (minutes), makes its schemas with deploy/temporal, and starts it. */
export async function startProductionTemporal(options: ProductionTemporalOptions): Promise<ProductionTemporal> {
  const { postgres, onProgress = () => undefined } = options;
  const [home, { path: cliPath }] = await Promise.all([
    ensureProgram(temporalServer, onProgress),
    resolveTemporalBinary({ onProgress }),
  ]);
  const folder = await mkdtemp(join(tmpdir(), 'kubewright-temporal-server-'));
  const logFile = join(folder, 'temporal.log');
  const path = `${home}:${dirname(cliPath)}:${process.env['PATH'] ?? ''}`;
  const base = {
    PATH: path,
    ...(process.env['KUBEWRIGHT_RUN'] ? { KUBEWRIGHT_RUN: process.env['KUBEWRIGHT_RUN'] } : {}),
  };
  await run(['sh', join(ROOT, 'deploy/temporal/setup-schema.sh')], {
    env: {
      ...base,
      ...DATABASE_PASSWORDS,
      SQL_HOST: postgres.host,
      SQL_PORT: String(postgres.port),
      TEMPORAL_SCHEMAS: join(home, 'schema'),
      TOOLS: join(folder, 'no-such-folder'),
    },
    timeoutMs: 300_000,
  });
  const ports = await lowPorts(9);
  const address = `127.0.0.1:${ports[0]}`;
  const names = ['FRONTEND_GRPC', 'HISTORY_GRPC', 'MATCHING_GRPC', 'WORKER_GRPC', 'FRONTEND_HTTP'];
  const membership = ['FRONTEND', 'HISTORY', 'MATCHING', 'WORKER'].map((name) => `${name}_MEMBERSHIP`);
  const env: Record<string, string> = {
    ...base,
    DB: 'postgres12',
    POSTGRES_SEEDS: postgres.host,
    DB_PORT: String(postgres.port),
    DBNAME: 'temporal',
    POSTGRES_USER: 'temporal',
    POSTGRES_PWD: DATABASE_PASSWORDS.TEMPORAL_DB_PASSWORD,
    VISIBILITY_DBNAME: 'temporal_visibility',
    VISIBILITY_POSTGRES_USER: 'temporal_visibility',
    VISIBILITY_POSTGRES_PWD: DATABASE_PASSWORDS.TEMPORAL_VISIBILITY_DB_PASSWORD,
    NUM_HISTORY_SHARDS: '512',
    BIND_ON_IP: '127.0.0.1',
    DYNAMIC_CONFIG_FILE_PATH: join(ROOT, 'deploy/temporal/dynamicconfig.yaml'),
    LOG_LEVEL: 'warn',
    ...Object.fromEntries([...names, ...membership].map((name, index) => [`${name}_PORT`, String(ports[index])])),
    ...options.env,
  };
  const cli: ProductionTemporal['cli'] = (...args) =>
    tryRun([cliPath, ...args], { env: { ...base, TEMPORAL_ADDRESS: address, ...options.cliEnv }, timeoutMs: 60_000 });
  const log = () => readFileSync(logFile, 'utf8');

  let server: ChildProcess | undefined;
  let ended: Promise<void> = Promise.resolve();
  const end = async (signal: NodeJS.Signals) => {
    server?.kill(signal);
    await ended;
  };
  const start = async () => {
    const out = openSync(logFile, 'a');
    const child = spawn(join(home, 'temporal-server'), ['start'], { env, cwd: folder, stdio: ['ignore', out, out] });
    closeSync(out);
    server = child;
    ended = new Promise((resolve) => child.once('exit', () => resolve()));
    const deadline = Date.now() + READY_MS;
    while ((await cli('operator', 'cluster', 'health')).code !== 0) {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`Temporal's server does not serve:\n${log().slice(-3000)}`);
      }
      await sleep(300);
    }
  };
  const stop = async () => {
    await end('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  const internode = ports.slice(1, 3).map((port) => `127.0.0.1:${port}`);
  return { address, internode, cli, start, stop, kill: () => end('SIGKILL'), log };
}

/** Certificates of a Temporal server that requires them: of clients, and of its own services. */
export interface MutualTls {
  /** Settings of the server: its own template's names. */
  server: Record<string, string>;
  /** Of the `temporal` program, as files. */
  cli: Record<string, string>;
  /** Of API and worker, as texts: their roots hold no files of ours. */
  clients: Record<string, string>;
  /** PEM of the authority that the server's certificate is of. */
  serverCa: string;
}

/** Two authorities of a test's own: one for what the server is, one for who may be its client. */
export function mutualTls(folder: string): MutualTls {
  const [servers, clients] = ['servers', 'clients'].map((name) => certificateAuthority(folder, name));
  const [frontend, internode] = ['frontend', 'internode'].map((name) => servers!.issue(name));
  const client = clients!.issue('kubewright');
  const text = (path: string) => readFileSync(path, 'utf8');
  return {
    server: {
      TEMPORAL_TLS_REQUIRE_CLIENT_AUTH: 'true',
      TEMPORAL_TLS_SERVER_CA_CERT: servers!.ca,
      TEMPORAL_TLS_SERVER_CERT: internode!.cert,
      TEMPORAL_TLS_SERVER_KEY: internode!.key,
      TEMPORAL_TLS_INTERNODE_SERVER_NAME: 'temporal.test',
      TEMPORAL_TLS_FRONTEND_CERT: frontend!.cert,
      TEMPORAL_TLS_FRONTEND_KEY: frontend!.key,
      TEMPORAL_TLS_FRONTEND_SERVER_NAME: 'temporal.test',
      TEMPORAL_TLS_CLIENT1_CA_CERT: clients!.ca,
      // The server's own worker comes with the certificate of its services.
      TEMPORAL_TLS_CLIENT2_CA_CERT: servers!.ca,
    },
    cli: {
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: servers!.ca,
      TEMPORAL_TLS_CLIENT_CERT_PATH: client.cert,
      TEMPORAL_TLS_CLIENT_KEY_PATH: client.key,
    },
    clients: {
      TEMPORAL_TLS_SERVER_CA_CERT_DATA: text(servers!.ca),
      TEMPORAL_TLS_CLIENT_CERT_DATA: text(client.cert),
      TEMPORAL_TLS_CLIENT_KEY_DATA: text(client.key),
    },
    serverCa: text(servers!.ca),
  };
}

/** deploy/temporal/create-namespace.sh against a server, as the service `temporal-namespace` runs it. Throws. */
export async function createNamespace(address: string, more: Record<string, string> = {}): Promise<void> {
  const { path } = await resolveTemporalBinary();
  await run(['sh', join(ROOT, 'deploy/temporal/create-namespace.sh')], {
    env: {
      PATH: `${dirname(path)}:${process.env['PATH'] ?? ''}`,
      TEMPORAL_ADDRESS: address,
      NAMESPACE: 'kube',
      ...more,
    },
    timeoutMs: 180_000,
  });
}

/** Free ports that fit the column in which Temporal's servers announce themselves: a smallint. */
async function lowPorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const wished = randomInt(12_000, 32_000);
    if ((await freePort(wished)) === wished) found.add(wished);
  }
  return [...found];
}
