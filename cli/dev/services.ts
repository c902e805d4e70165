import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { endProcess, isAlive, processId } from '../../lab/processes.ts';
import { API_FLAGS, MEMORY_ENV } from '../../worker/node-flags.ts';
import { checkoutRoot } from './paths.ts';

/** A service process of the demo, as recorded in <folder>/service.json. */
const serviceRecord = z.object({
  pid: z.int(),
  startTime: z.string(),
  port: z.int(),
  checkout: z.string(),
});
type ServiceRecord = z.infer<typeof serviceRecord>;

export interface RunningService {
  url: string;
  pid: number;
  tokenFile: string;
  logFile: string;
}

const READY_TIMEOUT_MS = 120_000;
const STOP_GRACE_MS = 40_000;

/**
 * Start `api/main.ts` (API, worker, Temporal) detached with its data under `folder`, or find the one that runs. It
 * listens where it did before, else at `wished` when that is free; 0 lets the kernel pick, for services that start side
 * by side.
 */
export async function ensureService(
  folder: string,
  say: (line: string) => void,
  wished = 8080,
): Promise<RunningService> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const logFile = join(folder, 'service.log');
  const tokenFile = join(folder, 'data', 'admin-token');
  const known = readRecord(folder);
  if (known && (await isAlive(known))) {
    if (known.checkout === checkoutRoot && (await isReady(`http://127.0.0.1:${known.port}`))) {
      return { url: `http://127.0.0.1:${known.port}`, pid: known.pid, tokenFile, logFile };
    }
    say('restarting the services: they run from another checkout or do not answer');
    await stopService(folder);
  }
  const port = await freePort(known?.port ?? wished);
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(process.execPath, [...API_FLAGS, join(checkoutRoot, 'api/main.ts')], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...MEMORY_ENV, ...process.env, KUBEWRIGHT_DATA: join(folder, 'data'), KUBEWRIGHT_PORT: String(port) },
  });
  child.unref();
  closeSync(log);
  const pid = child.pid;
  if (pid === undefined) throw new Error('the service process could not be started');
  const id = await processId(pid);
  if (!id) throw new Error(`the service ended at once; the end of ${logFile}:\n${tail(logFile)}`);
  const record: ServiceRecord = { ...id, port, checkout: checkoutRoot };
  writeFileSync(join(folder, 'service.json'), JSON.stringify(record));

  const url = `http://127.0.0.1:${port}`;
  const started = Date.now();
  let lastReport = started;
  while (!(existsSync(tokenFile) && (await isReady(url)))) {
    if (!(await isAlive(record)) || Date.now() - started > READY_TIMEOUT_MS) {
      throw new Error(`the service did not become ready; the end of ${logFile}:\n${tail(logFile)}`);
    }
    if (Date.now() - lastReport > 10_000) {
      lastReport = Date.now();
      say(`waiting for Temporal, worker and API (${Math.round((lastReport - started) / 1000)} s)`);
    }
    await sleep(150);
  }
  return { url, pid, tokenFile, logFile };
}

/** End the service and what it started. Nothing happens when it does not run. */
export async function stopService(folder: string): Promise<void> {
  const record = readRecord(folder);
  if (!record) return;
  // Time for running commands to be cancelled on the hosts and for Temporal to close its database.
  await endProcess(record, STOP_GRACE_MS);
  rmSync(join(folder, 'service.json'), { force: true });
}

function readRecord(folder: string): ServiceRecord | null {
  try {
    return serviceRecord.parse(JSON.parse(readFileSync(join(folder, 'service.json'), 'utf8')));
  } catch {
    // Absent or half-written: nothing that we could name runs.
    return null;
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(3_000) })).ok;
  } catch {
    return false;
  }
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').split('\n').slice(-25).join('\n');
}

/** The wished port when it is free, else one that the kernel picks. */
export function freePort(wished: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', () => (wished === 0 ? reject(new Error('no free port')) : resolve(freePort(0))));
    server.listen(wished, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : wished;
      server.close(() => resolve(port));
    });
  });
}
