import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { diskCheck } from '../../../api/readiness/parts/disk.ts';
import { storeCheck } from '../../../api/readiness/parts/store.ts';
import { workerCheck } from '../../../api/readiness/parts/worker.ts';
import { type Check, createReadiness, type Finding } from '../../../api/readiness/readiness.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import type { ProcessReport } from '../../../store/processes.ts';

const ok: Finding = { state: 'ok' };
const check = (name: string, run: Check['run']): Check => ({ name, meaning: 'it works', run });

it('a part that hangs is named, holds up nothing, and is not asked again meanwhile', async () => {
  const hanging = vi.fn(() => new Promise<Finding>(() => undefined));
  const readiness = createReadiness([check('temporal', hanging), check('store', async () => ok)], { freshMs: 0 });
  for (let round = 0; round < 2; round += 1) {
    const { ready, findings } = await readiness.run();
    expect(ready).toBe(false);
    expect(findings).toMatchObject({ store: ok, temporal: { state: 'unreachable', cause: 'no answer within 2 s' } });
  }
  expect(hanging).toHaveBeenCalledTimes(1);
});

it('simultaneous probes, and those soon after, share one check', async () => {
  const run = vi.fn(async () => ok);
  const readiness = createReadiness([check('store', run)], { freshMs: 60_000 });
  await Promise.all(Array.from({ length: 100 }, () => readiness.run()));
  await readiness.run();
  expect(run).toHaveBeenCalledTimes(1);
});

it('what a part threw goes to the log, once, and not into the answer', async () => {
  const secret = 'connect ECONNREFUSED 10.1.2.3:5432 /var/lib/kubewright';
  const warn = vi.fn<(details: object, message: string) => void>();
  const info = vi.fn<(details: object, message: string) => void>();
  let fails = true;
  const run = async () => {
    if (fails) throw new Error(secret);
    return ok;
  };
  const readiness = createReadiness([check('store', run)], { freshMs: 0, logger: { warn, info } });
  expect(JSON.stringify(await readiness.run())).not.toContain('10.1.2.3');
  await readiness.run();
  expect(warn).toHaveBeenCalledTimes(1);
  expect(String((warn.mock.calls[0]![0] as { err: Error }).err)).toContain(secret);
  fails = false;
  expect((await readiness.run()).ready).toBe(true);
  expect(info).toHaveBeenCalledTimes(1);
});

it('a store that answers but refuses writes is not reported as unreachable', async () => {
  const failed = () => Promise.reject(new KubewrightError('STORE_FAILED', 'read-only'));
  const fine = () => Promise.resolve();
  const processes = (report: () => Promise<void>) => ({ report, list: async () => [], remove: fine });
  expect(await storeCheck({ ping: failed, processes: processes(fine) }).run()).toMatchObject({ state: 'unreachable' });
  expect(await storeCheck({ ping: fine, processes: processes(failed) }).run()).toMatchObject({
    state: 'not-writable',
  });
  const waiting = () => new Promise<void>(() => undefined);
  expect(await storeCheck({ ping: fine, processes: processes(waiting) }).run()).toMatchObject({
    state: 'not-writable',
  });
  expect(await storeCheck({ ping: fine, processes: processes(fine) }).run()).toEqual(ok);
});

it('a worker counts as alive while its row changes, independent of its clock', async () => {
  let now = 0;
  let rows: (ProcessReport & { seenAt: string })[] = [];
  const row = (seenAt: number, state: ProcessReport['state'] = 'working') => ({
    ...{ id: 'w', kind: 'worker' as const, state },
    seenAt: new Date(seenAt).toISOString(),
  });
  const worker = workerCheck({ processes: { list: async () => rows }, now: () => now });
  const state = async () => (await worker.run()).state;
  expect(await state()).toBe('missing');
  rows = [row(Date.now())];
  expect(await state()).toBe('ok');
  now += 11_000;
  expect(await state()).toBe('missing');
  // Its clock is an hour behind and goes on.
  rows = [row(Date.now() - 3_600_000)];
  expect(await state()).toBe('ok');
  rows = [row(Date.now() - 3_590_000, 'no-temporal')];
  expect(await worker.run()).toEqual({ state: 'missing', cause: 'no worker reaches Temporal' });
});

it('the first check uses its own time limit', async () => {
  const old = { id: 'w', kind: 'worker' as const, state: 'working' as const };
  const seenAt = new Date(Date.now() - 60_000).toISOString();
  const worker = workerCheck({ processes: { list: async () => [{ ...old, seenAt }] } });
  expect((await worker.run()).state).toBe('missing');
});

it('an embedded worker that is being started again is missing at once', async () => {
  const seenAt = new Date().toISOString();
  const list = async () => [{ id: 'w', kind: 'worker' as const, state: 'working' as const, seenAt }];
  expect((await workerCheck({ processes: { list }, up: () => false }).run()).state).toBe('missing');
});

it('a file system with less room than configured is full; a folder that is not there is none', async () => {
  const path = mkdtempSync(join(tmpdir(), 'kubewright-disk-'));
  try {
    const folders = [{ name: 'data directory', path }];
    expect((await diskCheck({ folders, minFreeMiB: 0 }).run()).state).toBe('ok');
    const full = await diskCheck({ folders, minFreeMiB: 1e9 }).run();
    expect(full).toMatchObject({ state: 'full', cause: expect.stringContaining('data directory') });
    expect(full).not.toMatchObject({ cause: expect.stringContaining(path) });
    const absent = [{ name: 'cache', path: join(path, 'none') }];
    expect((await diskCheck({ folders: absent, minFreeMiB: 1e9 }).run()).state).toBe('ok');
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
});
