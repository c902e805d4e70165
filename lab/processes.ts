import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process as recorded in state files. Pids are reused, a pid with its start time is not. */
export interface ProcessId {
  pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks after boot. */
  startTime: string;
}

/** The identity of a running process, or null when there is none. Zombies do not count. */
export async function processId(pid: number): Promise<ProcessId | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  // The command name (field 2) may hold spaces and parentheses; fields count from the last ")".
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startTime = fields[19];
  return startTime === undefined || fields[0] === 'Z' || fields[0] === 'X' ? null : { pid, startTime };
}

/** True while exactly that process runs. */
export async function isAlive(process: ProcessId): Promise<boolean> {
  return (await processId(process.pid))?.startTime === process.startTime;
}

/** The direct children of a process. */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

/** Asks a recorded process to end, then makes it. Does nothing when it is gone or another process has its pid. */
export async function endProcess(id: ProcessId, graceMs = 2_000): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!(await isAlive(id))) return;
    signalQuietly(id.pid, signal);
    const deadline = Date.now() + graceMs;
    while (Date.now() < deadline && (await isAlive(id))) await sleep(25);
  }
}

/** Sends a signal; a process that is gone already is fine. */
export function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
