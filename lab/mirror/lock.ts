import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { KubewrightError } from '../../contracts/errors.ts';

/**
 * Runs `work` while no other process of this machine does the same for that file. The kernel holds the lock for a child
 * that lives as long as its standard input: however this process ends, the lock ends with it, so it can never be stale.
 * `onWait` is called once when another process holds it, with the pid that the holder wrote down.
 */
export async function withFileLock<T>(
  file: string,
  onWait: (holder: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const release = await acquire(file, onWait);
  try {
    return await work();
  } finally {
    await release();
  }
}

async function acquire(file: string, onWait: (holder: string) => void): Promise<() => Promise<void>> {
  const child = spawn('flock', ['--exclusive', file, 'sh', '-c', 'echo held; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    // A Ctrl-C at the terminal must not drop the lock before this process has ended its work.
    detached: true,
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const waiting = setTimeout(() => {
    void readFile(`${file}.holder`, 'utf8').then(
      (text) => onWait(text.trim()),
      () => onWait('?'),
    );
  }, 300);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => reject(new Error('flock ended without giving the lock')));
      createInterface({ input: child.stdout }).once('line', () => resolve());
    });
  } catch (cause) {
    throw new KubewrightError('LAB_FAILED', `the lock ${file} cannot be taken`, { cause });
  } finally {
    clearTimeout(waiting);
  }
  await writeFile(`${file}.holder`, `${process.pid}\n`);
  return async () => {
    child.stdin.end();
    await ended;
  };
}
