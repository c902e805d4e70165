import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { KubewrightError } from '../contracts/errors.ts';
import {
  endServer,
  readRecord,
  removeRecord,
  type ServerRecord,
  startTimeOf,
  writeRecord,
} from './temporal-server/server-record.ts';

/** Where the API process of a data directory, and the worker that it started, are recorded. */
const apiFolder = (dataDir: string): string => join(dataDir, 'service');
const workerFolder = (dataDir: string): string => join(dataDir, 'service', 'worker');
/** Time for a worker that lost its API to end by itself, ms. Then it is killed; Temporal repeats what it did. */
const LEFTOVER_GRACE_MS = 6_000;

/**
 * Hold a data directory: two services on one SQLite file would disturb each other. A killed service's hold counts no
 * longer. Returns the function that lets go. Throws CONFLICT.
 */
export function lockDataDir(dataDir: string, port: number): () => void {
  const folder = apiFolder(dataDir);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const other = readRecord(folder);
  if (other && other.pid !== process.pid) {
    throw new KubewrightError(
      'CONFLICT',
      `process ${other.pid} serves ${dataDir} already (port ${other.port}); stop it, or choose another KUBEWRIGHT_DATA`,
    );
  }
  writeRecord(folder, { pid: process.pid, startTime: startTimeOf(process.pid) ?? '', port, uiPort: 0 });
  return () => removeRecord(folder);
}

/** Record the worker process that this service started. */
export function recordWorker(dataDir: string, pid: number): void {
  mkdirSync(workerFolder(dataDir), { recursive: true, mode: 0o700 });
  writeRecord(workerFolder(dataDir), { pid, startTime: startTimeOf(pid) ?? '', port: 0, uiPort: 0 });
}

/** The recorded worker when that very process still runs. */
export function recordedWorker(dataDir: string): ServerRecord | null {
  return readRecord(workerFolder(dataDir));
}

/** End the worker of an earlier service that was killed: it is about to end by itself. */
export async function endLeftoverWorker(dataDir: string): Promise<void> {
  const worker = recordedWorker(dataDir);
  if (worker) await endServer(worker, LEFTOVER_GRACE_MS);
  removeRecord(workerFolder(dataDir));
}

/**
 * End the Temporal server of a data directory whose service was killed, unless another service holds it by now. Called
 * by the embedded worker that the killed service left behind.
 */
export async function endAbandonedTemporal(dataDir: string): Promise<void> {
  if (readRecord(apiFolder(dataDir))) return;
  const folder = join(dataDir, 'temporal');
  const server = readRecord(folder);
  if (!server) return;
  await endServer(server);
  // A service that began meanwhile has written a record of its own server.
  if (!readRecord(folder)) removeRecord(folder);
}
