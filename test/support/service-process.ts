import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore, type Store } from '../../store/index.ts';
import { openKeyring } from '../../store/keyring.ts';

/** A service that runs as a process of its own. */
export interface ServiceProcess {
  url: string;
  port: number;
  adminToken: string;
  dataDir: string;
  pid: number;
  /** Another connection to the service's database: what workers would write, a test writes. */
  openStore(): Promise<Store>;
  log(): string;
  /** The exit code, or the signal that ended it; waits for it. */
  ended(): Promise<number | string>;
  close(): Promise<void>;
}

/** A first embedded start bundles the workflows. */
const READY_MS = 200_000;
/** Nobody listens there: the discard port. */
const NO_TEMPORAL = '127.0.0.1:9';

/** The environment that makes it what `npm start` is: API, worker and Temporal. */
export const EMBEDDED = { KUBEWRIGHT_PROCESS: 'all', TEMPORAL_ADDRESS: '' };

/**
 * Start `api/main.ts` on a port of the kernel's choice, with a fresh data directory unless one is given: by default the API
 * alone, whose Temporal is away.
 */
export async function startServiceProcess(env: Record<string, string> = {}): Promise<ServiceProcess> {
  const dataDir = env['KUBEWRIGHT_DATA'] ?? mkdtempSync(join(tmpdir(), 'kubewright-attack-'));
  let log = '';
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../api/main.ts')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      KUBEWRIGHT_PROCESS: 'api',
      KUBEWRIGHT_DATA: dataDir,
      KUBEWRIGHT_PORT: '0',
      TEMPORAL_ADDRESS: NO_TEMPORAL,
      ...env,
    },
  });
  const exited = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? code ?? -1));
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-200_000);
    });
  }
  const url = await addressOf(child, () => log);
  return {
    url,
    port: Number(new URL(url).port),
    adminToken: readFileSync(join(dataDir, 'admin-token'), 'utf8').trim(),
    dataDir,
    pid: child.pid ?? 0,
    openStore: () => openStore({ dataDir, keyring: openKeyring(dataDir, undefined) }),
    log: () => log,
    ended: () => exited,
    async close() {
      if (child.exitCode === null && child.kill('SIGTERM')) await Promise.race([exited, sleep(40_000)]);
      child.kill('SIGKILL');
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** What the service says in its log once it listens. */
async function addressOf(child: ChildProcess, log: () => string): Promise<string> {
  const until = Date.now() + READY_MS;
  for (;;) {
    const [, url] = /"url":"(https?:[^"]+)","docs"/.exec(log()) ?? [];
    if (url !== undefined) return url;
    if (child.exitCode !== null || Date.now() > until) throw new Error(`the service did not start:\n${log()}`);
    await sleep(50);
  }
}
