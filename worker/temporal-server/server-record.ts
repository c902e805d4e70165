import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A running server of a data directory, so that the next process can find it. */
export interface ServerRecord {
  pid: number;
  /** Clock ticks after boot when the process began: pids are reused, a pid with its start time is not. */
  startTime: string;
  port: number;
  uiPort: number;
}

const FILE = 'server.json';

/** The recorded server when that very process still runs. */
export function readRecord(folder: string): ServerRecord | null {
  try {
    const record = JSON.parse(readFileSync(join(folder, FILE), 'utf8')) as ServerRecord;
    return isAlive(record) ? record : null;
  } catch {
    // Absent or half-written: nothing that we could name runs.
    return null;
  }
}

export function writeRecord(folder: string, record: ServerRecord): void {
  writeFileSync(join(folder, FILE), JSON.stringify(record));
}

export function removeRecord(folder: string): void {
  rmSync(join(folder, FILE), { force: true });
}

/** Start time of a process; null when it does not run. Where /proc is absent, the pid alone counts. */
export function startTimeOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
  } catch {
    if (process.platform === 'linux') return null;
    try {
      process.kill(pid, 0);
      return '';
    } catch {
      return null;
    }
  }
}

export const isAlive = (record: Pick<ServerRecord, 'pid' | 'startTime'>): boolean =>
  startTimeOf(record.pid) === record.startTime;

/** Ask the process to end, then make it. It checkpoints its database on SIGTERM. */
export async function endServer(record: Pick<ServerRecord, 'pid' | 'startTime'>, graceMs = 10_000): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isAlive(record)) return;
    try {
      process.kill(record.pid, signal);
    } catch {
      return; // It ended in between.
    }
    const deadline = Date.now() + graceMs;
    while (Date.now() < deadline && isAlive(record)) await sleep(20);
  }
}
