import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubewrightError } from '../contracts/errors.ts';
import { isAlive, type ProcessId, processId } from './processes.ts';

/**
 * Runs `work` while holding a lock file. The lock of a process that was killed is taken over.
 * Throws CONFLICT when a live process still holds it after `waitMs`.
 */
export async function withLock<T>(file: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  await acquire(file, waitMs);
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function acquire(file: string, waitMs: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  // Filled before it gets its name: a kill in between must not leave a lock without an owner.
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, JSON.stringify(await processId(process.pid)));
  const deadline = Date.now() + waitMs;
  try {
    for (;;) {
      const taken = await link(draft, file).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'EEXIST') return false;
          throw error;
        },
      );
      if (taken) return;
      const holder = JSON.parse(await readFile(file, 'utf8').catch(() => 'null')) as ProcessId | null;
      if (holder !== null && !(await isAlive(holder))) {
        await rm(file, { force: true });
        continue;
      }
      if (Date.now() >= deadline) {
        throw new KubewrightError('CONFLICT', `${file}: process ${holder?.pid ?? '?'} works on the same lab right now`);
      }
      await sleep(100);
    }
  } finally {
    await rm(draft, { force: true });
  }
}
