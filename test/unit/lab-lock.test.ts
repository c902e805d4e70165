import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { withLock } from '../../lab/lock.ts';
import { isAlive, processId } from '../../lab/processes.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kw-lock-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('refuses a second run while the first works, and leaves nothing behind', async () => {
  const file = join(folder, 'lab.lock');
  await withLock(file, 0, async () => {
    await expect(withLock(file, 0, async () => 'second')).rejects.toMatchObject({ code: 'CONFLICT' });
  });
  expect(await withLock(file, 0, async () => 'third')).toBe('third');
  expect(await readdir(folder)).toEqual([]);
});

it('takes over the lock of a process that is gone, even when its pid is in use again', async () => {
  const file = join(folder, 'lab.lock');
  await writeFile(file, JSON.stringify({ pid: process.pid, startTime: '1' }));
  expect(await withLock(file, 0, async () => 'taken over')).toBe('taken over');
});

it('lets go of the lock when the work fails', async () => {
  const file = join(folder, 'lab.lock');
  const failing = withLock(file, 0, () => Promise.reject(new Error('broken')));
  await expect(failing).rejects.toThrow('broken');
  expect(await readdir(folder)).toEqual([]);
});

it('distinguishes a process from a later one with the same pid', async () => {
  const me = await processId(process.pid);
  expect(me).not.toBeNull();
  expect(await isAlive(me!)).toBe(true);
  expect(await isAlive({ ...me!, startTime: '1' })).toBe(false);
});
