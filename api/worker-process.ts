import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubewrightError } from '../contracts/errors.ts';
import { EXIT } from '../contracts/exit-codes.ts';
import { recordWorker } from '../worker/data-dir.ts';
import { EMBEDDED_ARGUMENT, type WorkerMessage } from '../worker/embedded.ts';
import { MEMORY_ENV, WORKER_FLAGS } from '../worker/node-flags.ts';
import type { Running } from './supervisor.ts';

const ENTRY = join(import.meta.dirname, '../worker/main.ts');
/** From the start of the process to polling workers, ms. A first start bundles the workflows. */
const READY_MS = 200_000;
/** A worker cancels its commands on the hosts and reports that, within 32 s; then it is killed, ms. */
const STOP_MS = 34_000;

export interface WorkerProcessOptions {
  /** The environment of this process, with what the worker is to see differently. */
  env: NodeJS.ProcessEnv;
  dataDir: string;
  /** Ends a worker that has not come up yet. */
  signal?: AbortSignal | undefined;
  /** Called with clusters of which the worker saved a new status. */
  onChange: (cluster: string) => void;
}

/** One run of the embedded worker. */
export interface WorkerProcess extends Running {
  pid: number;
  /** Where it serves its metrics. */
  metricsUrl: string | undefined;
}

/**
 * Start the worker in a process of its own: a blocked API costs no heartbeat and no workflow task. It has a process group
 * of its own, so that Ctrl-C reaches it through this process, in the order of the shutdown; and a channel to this process,
 * whose end means that this process is gone. It writes to the same standard output. Throws TEMPORAL_UNAVAILABLE,
 * INTERNAL when it ends before it polls.
 */
export async function startWorkerProcess({
  env,
  dataDir,
  signal,
  onChange,
}: WorkerProcessOptions): Promise<WorkerProcess> {
  const child = spawn(process.execPath, [...WORKER_FLAGS, ENTRY, EMBEDDED_ARGUMENT], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...MEMORY_ENV, ...env },
  });
  const ended = endOf(child);
  if (child.pid !== undefined) recordWorker(dataDir, child.pid);
  let metricsUrl: string | undefined;
  const ready = new Promise<'ready'>((resolve) => {
    child.on('message', (message: WorkerMessage) => {
      if (message.type === 'ready') {
        metricsUrl = message.metrics;
        resolve('ready');
      } else for (const cluster of message.clusters) onChange(cluster);
    });
  });
  const cut = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', cut);
  const late = new AbortController();
  const outcome = await Promise.race([
    ready,
    ended,
    sleep(READY_MS, 'late' as const, { signal: late.signal }).catch(() => 'late' as const),
  ]);
  late.abort();
  signal?.removeEventListener('abort', cut);
  if (outcome !== 'ready' || child.pid === undefined) {
    if (outcome === 'late') child.kill('SIGKILL');
    throw notStarted(child, outcome === 'late' ? `it did not poll within ${READY_MS / 1000} s` : outcome);
  }
  return {
    pid: child.pid,
    metricsUrl,
    ended,
    async stop() {
      child.kill('SIGTERM');
      const killing = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(killing);
    },
  };
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`the worker process could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(`the worker process ended with ${signal ?? `exit code ${code}`}`));
  });
}

function notStarted(child: ChildProcess, reason: string): KubewrightError {
  const code = child.exitCode === EXIT.temporalLost ? 'TEMPORAL_UNAVAILABLE' : 'INTERNAL';
  return new KubewrightError(code, `the worker did not start: ${reason}; its log says why`);
}
