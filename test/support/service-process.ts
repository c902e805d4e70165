import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore, type Store } from '../../store/index.ts';
import { openKeyring } from '../../store/keyring.ts';
import { ANSWERS, answersFile, requireChecked } from './answers.ts';

/** A service that runs as a process of its own. */
export interface ServiceProcess {
  url: string;
  port: number;
  adminToken: string;
  dataDir: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Another connection to the service's database: what workers would write, a test writes. */
  openStore(): Promise<Store>;
  /** A request over `node:http`, which sends any header; with the admin token unless another one, or null, is given. */
  call(
    method: string,
    path: string,
    more?: { token?: string | null; headers?: Record<string, string>; body?: unknown },
  ): Promise<{ status: number; text: string; headers: Record<string, string | string[] | undefined> }>;
  /** What all its processes wrote, the last 2 MB of it. */
  log(): string;
  /** The exit code of the last process, or the signal that ended it; waits for it. */
  ended(): Promise<number | string>;
  /** Ends the process. The data directory stays. */
  stop(): Promise<void>;
  /** Starts it again on the same data and port, with these variables instead of the first ones. */
  start(env?: Record<string, string>): Promise<void>;
  /** Ends the process and removes its data. */
  close(): Promise<void>;
}

/** A first embedded start bundles the workflows. */
const READY_MS = 200_000;
/** Within this time a service ends by itself; then it is killed. */
const END_MS = 40_000;
const LOG_LENGTH = 2_000_000;
/** A port without a listener: discard. */
const NO_TEMPORAL = '127.0.0.1:9';

/** The environment that makes it what `npm start` is: API, worker and Temporal. */
export const EMBEDDED = { KUBEWRIGHT_PROCESS: 'all', TEMPORAL_ADDRESS: '' };

/**
 * Start `api/main.ts` on a port of the kernel's choice, with a fresh data directory unless one is given: by default the API
 * alone, whose Temporal is unreachable.
 */
export async function startServiceProcess(first: Record<string, string> = {}): Promise<ServiceProcess> {
  const dataDir = first['KUBEWRIGHT_DATA'] ?? mkdtempSync(join(tmpdir(), 'kubewright-attack-'));
  let log = '';
  let child: ChildProcess;
  let exited: Promise<number | string>;
  let port = 0;

  /** Returns the address once the service listens. Throws with its log when it ends before. */
  async function run(env: Record<string, string>): Promise<string> {
    child = spawn(process.execPath, [join(import.meta.dirname, '../../api/main.ts')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        KUBEWRIGHT_PROCESS: 'api',
        KUBEWRIGHT_DATA: dataDir,
        KUBEWRIGHT_PORT: String(port),
        TEMPORAL_ADDRESS: NO_TEMPORAL,
        [ANSWERS]: answersFile(),
        ...env,
      },
    });
    const started = child;
    exited = new Promise((resolve) => started.once('exit', (code, signal) => resolve(signal ?? code ?? -1)));
    let own = '';
    for (const stream of [started.stdout, started.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        own = (own + text).slice(-LOG_LENGTH);
        log = (log + text).slice(-LOG_LENGTH);
      });
    }
    const address = await addressOf(started, () => own);
    await requireChecked(address);
    return address;
  }

  async function stop(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
    await exited;
    clearTimeout(timer);
  }

  async function close(): Promise<void> {
    await stop();
    rmSync(dataDir, { recursive: true, force: true });
  }

  let url: string;
  try {
    url = await run(first);
  } catch (error) {
    await close();
    throw error;
  }
  port = Number(new URL(url).port);
  const adminToken = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  return {
    ...{ url, port, adminToken, dataDir, stop, close },
    get pid() {
      return child.pid ?? 0;
    },
    openStore: () => openStore({ dataDir, keyring: openKeyring(dataDir, undefined) }),
    log: () => log,
    ended: () => exited,
    async start(env = first) {
      await run(env);
    },
    call: (method, path, { token = adminToken, ...more } = {}) => call(method, `${url}${path}`, { token, ...more }),
  };
}

/** What the service says in its log once it listens. */
async function addressOf(child: ChildProcess, log: () => string): Promise<string> {
  const until = Date.now() + READY_MS;
  for (;;) {
    const [, url] = /"url":"(https?:[^"]+)","(?:ui|docs)"/.exec(log()) ?? [];
    if (url !== undefined) return url;
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > until) {
      throw new Error(`the service did not start:\n${log().slice(-8_000)}`);
    }
    await sleep(50);
  }
}

function call(
  method: string,
  url: string,
  { token, headers = {}, body }: { token: string | null; headers?: Record<string, string>; body?: unknown },
): ReturnType<ServiceProcess['call']> {
  const content = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(content === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
        ...headers,
      },
    });
    asked.once('error', reject);
    asked.once('response', (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.once('error', reject);
      answer.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers });
      });
    });
    asked.end(content);
  });
}
