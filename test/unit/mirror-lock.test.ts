import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withFileLock } from '../../lab/mirror/lock.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kw-lock-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('the second process waits for the first and reports it', async () => {
  const file = join(folder, 'lock');
  const order: string[] = [];
  const waited: string[] = [];
  let letGo = (): void => {};
  const first = withFileLock(
    file,
    () => {},
    async () => {
      order.push('first in');
      await new Promise<void>((resolve) => {
        letGo = resolve;
      });
      order.push('first out');
    },
  );
  await expect.poll(() => order).toEqual(['first in']);
  const second = withFileLock(
    file,
    (holder) => waited.push(holder),
    () => Promise.resolve(order.push('second in')),
  );
  await expect.poll(() => waited).toEqual([`${process.pid}`]);
  letGo();
  await Promise.all([first, second]);
  expect(order).toEqual(['first in', 'first out', 'second in']);
});

test('the lock is given back when the work fails', async () => {
  const file = join(folder, 'lock');
  await expect(
    withFileLock(
      file,
      () => {},
      () => Promise.reject(new Error('broken')),
    ),
  ).rejects.toThrow('broken');
  expect(
    await withFileLock(
      file,
      () => {},
      () => Promise.resolve('free'),
    ),
  ).toBe('free');
});

test('a lock whose holder was killed is free', async () => {
  const file = join(folder, 'lock');
  const script = `
    const { withFileLock } = await import(${JSON.stringify(join(import.meta.dirname, '../../lab/mirror/lock.ts'))});
    await withFileLock(${JSON.stringify(file)}, () => {}, async () => {
      console.log('held');
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    });`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  expect(
    await withFileLock(
      file,
      () => {},
      () => Promise.resolve('taken over'),
    ),
  ).toBe('taken over');
});
