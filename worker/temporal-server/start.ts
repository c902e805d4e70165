import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubewrightError } from '../../contracts/errors.ts';
import { NAMESPACE, SEARCH_ATTRIBUTES } from '../../contracts/messages.ts';
import { checkMarker } from './marker.ts';
import { prepareNamespace } from './namespace.ts';
import { resolveTemporalBinary } from './resolve.ts';
import { endServer, readRecord, removeRecord, type ServerRecord, startTimeOf, writeRecord } from './server-record.ts';
import type { TemporalBinary } from './source.ts';
import { watchServer } from './watch.ts';

const READY_TIMEOUT_MS = 30_000;
const LOG_LIMIT_BYTES = 8 * 1024 * 1024;
const LOOPBACK = '127.0.0.1';

/**
 * How often a second the server may look into a queue of a shard. Its default of 20 is meant for hundreds of shards; the
 * embedded server has one, so that after a first burst every step of every workflow waited for 50 ms: 98 ms from the end
 * of a task to the start of the next, measured, against 25 ms with this.
 */
const QUEUE_READS = {
  'history.transferProcessorMaxPollRPS': 1_000,
  'history.timerProcessorMaxPollRPS': 1_000,
};

export interface StartOptions {
  /** Data directory of the service; the server's files lie in `<dataDir>/temporal`. */
  dataDir: string;
  /** Port to take; default: any free one. */
  port?: number | undefined;
  /** Port of the web UI; default: any free one. */
  uiPort?: number | undefined;
  /** Progress and problems, one line each. */
  onLog?: ((line: string) => void) | undefined;
  /** Program to start; default: resolveTemporalBinary(). */
  binary?: TemporalBinary | undefined;
  /** Where the web UI has sealed payloads opened: our API's /codec. */
  codecEndpoint?: string | undefined;
  /** No web UI: for tests. */
  headless?: boolean | undefined;
  /** Dynamic configuration of the server beside ours, such as limits lowered for a test. */
  dynamicConfig?: Readonly<Record<string, number | boolean>> | undefined;
}

export interface RunningTemporal {
  /** host:port for clients and workers. */
  address: string;
  /** Temporal's own web UI, or '' when headless. */
  uiUrl: string;
  pid: number;
  /** True when the server ran already for this data directory. */
  reused: boolean;
  /** Resolves with the reason when the server has ended, or was ended because it did not answer; null after `signal`. */
  watch(signal: AbortSignal): Promise<string | null>;
  /** End the server and wait until its database is closed. To leave it running, do not call this. */
  close(): Promise<void>;
}

/**
 * The embedded Temporal server of a data directory: found running, or started. It listens on loopback only and runs in
 * a process group of its own: Ctrl-C ends the service first, and a killed service finds its server again.
 * Throws TEMPORAL_UNAVAILABLE.
 */
export async function startTemporalServer(options: StartOptions): Promise<RunningTemporal> {
  const folder = join(options.dataDir, 'temporal');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const running = readRecord(folder);
  if (running) {
    if (await listens(running.port)) {
      try {
        return await ready(folder, running, true, options);
      } catch (error) {
        options.onLog?.(`Temporal server replaced: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    // Alive but deaf: it would hold the database.
    await endServer(running);
  }
  const binary = options.binary ?? (await resolveTemporalBinary({ onProgress: options.onLog }));
  checkMarker(folder, binary.version);
  const record = await launch(folder, binary, options);
  return await ready(folder, record, false, options);
}

/** Program and port for startTemporalServer, for what is to be started at the same time: a running server keeps its port. */
export async function planTemporalServer(
  dataDir: string,
  onLog: (line: string) => void,
): Promise<{ binary: TemporalBinary | undefined; port: number; address: string }> {
  const running = readRecord(join(dataDir, 'temporal'));
  const binary = running ? undefined : await resolveTemporalBinary({ onProgress: onLog });
  const port = running?.port ?? (await freePort());
  return { binary, port, address: `${LOOPBACK}:${port}` };
}

async function launch(folder: string, binary: TemporalBinary, options: StartOptions): Promise<ServerRecord> {
  const port = options.port ?? (await freePort());
  const uiPort = options.headless ? 0 : await freePort(options.uiPort ?? port + 1000);
  const logFile = join(folder, 'server.log');
  const log = openSync(logFile, 'a', 0o600);
  if (statSync(logFile).size > LOG_LIMIT_BYTES) truncateSync(logFile);
  const child = spawn(
    binary.path,
    [
      ...['server', 'start-dev', '--ip', LOOPBACK, '--port', String(port)],
      ...(options.headless ? ['--headless'] : ['--ui-ip', LOOPBACK, '--ui-port', String(uiPort)]),
      ...(options.codecEndpoint && !options.headless ? ['--ui-codec-endpoint', options.codecEndpoint] : []),
      ...['--db-filename', join(folder, 'temporal.db'), '--namespace', NAMESPACE],
      // Write-ahead log without an fsync per commit: a killed server loses nothing, a power cut at most the last
      // moments, and tasks may be repeated. `full` would put several fsyncs between any two tasks.
      ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal'],
      // Acts only when the namespace is new; prepareNamespace() covers the rest.
      ...Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, type]) => [
        '--search-attribute',
        `${name}=${cliType(type)}`,
      ]),
      ...Object.entries({ ...QUEUE_READS, ...options.dynamicConfig }).flatMap(([key, value]) => [
        '--dynamic-config-value',
        `${key}=${value}`,
      ]),
      ...['--log-level', 'warn', '--log-format', 'json'],
    ],
    // Its output goes to a file: a pipe would end the server together with us.
    { detached: true, stdio: ['ignore', log, log], cwd: folder },
  );
  child.unref();
  closeSync(log);
  child.once('error', (error) => options.onLog?.(`Temporal server: ${error.message}`));
  const pid = child.pid;
  const startTime = pid === undefined ? null : startTimeOf(pid);
  if (pid === undefined || startTime === null) throw unavailable(folder, `${binary.path} could not be started`);
  const record = { pid, startTime, port, uiPort };
  writeRecord(folder, record);
  return record;
}

async function ready(
  folder: string,
  record: ServerRecord,
  reused: boolean,
  options: StartOptions,
): Promise<RunningTemporal> {
  const address = `${LOOPBACK}:${record.port}`;
  const deadline = Date.now() + READY_TIMEOUT_MS;
  try {
    while (!(await listens(record.port))) {
      if (startTimeOf(record.pid) !== record.startTime) throw unavailable(folder, 'the Temporal server ended at once');
      if (Date.now() > deadline) throw unavailable(folder, 'the Temporal server did not open its port in 30 s');
      await sleep(25);
    }
    await prepareNamespace({ address });
  } catch (error) {
    await endServer(record);
    removeRecord(folder);
    throw error;
  }
  options.onLog?.(`Temporal server ${reused ? 'found' : 'started'} at ${address} (pid ${record.pid})`);
  return {
    address,
    uiUrl: record.uiPort === 0 ? '' : `http://${LOOPBACK}:${record.uiPort}`,
    pid: record.pid,
    reused,
    watch: (signal) => watchServer(record, address, signal),
    async close() {
      await endServer(record);
      removeRecord(folder);
    },
  };
}

/** `KEYWORD_LIST` as the CLI spells it: `KeywordList`. */
function cliType(type: string): string {
  return type
    .toLowerCase()
    .split('_')
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');
}

function unavailable(folder: string, message: string): KubewrightError {
  let tail = '';
  try {
    tail = readFileSync(join(folder, 'server.log'), 'utf8').trim().split('\n').slice(-8).join('\n').slice(-2000);
  } catch {
    // No log yet: the message has to do.
  }
  return new KubewrightError('TEMPORAL_UNAVAILABLE', message, { evidence: tail });
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: LOOPBACK, port });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
    socket.setTimeout(1_000, () => done(false));
  });
}

/** The wished port when it is free, else one that the kernel picks. */
function freePort(wished = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => (wished === 0 ? reject(error) : resolve(freePort())));
    server.listen(wished > 65_535 ? 0 : wished, LOOPBACK, () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : wished;
      server.close(() => resolve(port));
    });
  });
}
