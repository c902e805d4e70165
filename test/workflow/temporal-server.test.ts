import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { KubewrightError } from '../../contracts/errors.ts';
import { NAMESPACE, RETENTION_DAYS, SEARCH_ATTRIBUTES } from '../../contracts/messages.ts';
import { resolveTemporalBinary } from '../../worker/temporal-server/resolve.ts';
import type { TemporalSource } from '../../worker/temporal-server/source.ts';
import { startTemporalServer } from '../../worker/temporal-server/start.ts';
import { isAtLeast, parseVersion } from '../../worker/temporal-server/version.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubewright-server-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the embedded Temporal server', () => {
  it('is one per data directory, keeps its database over a restart, and holds our namespace', async () => {
    const first = await startTemporalServer({ dataDir: folder, headless: true });
    const second = await startTemporalServer({ dataDir: folder, headless: true });
    expect(second).toMatchObject({ pid: first.pid, address: first.address, reused: true });
    expect(first.address).toMatch(/^127\.0\.0\.1:\d+$/);

    const before = await describeNamespace(first.address);
    expect(before.retentionDays).toBe(RETENTION_DAYS);
    expect(Object.keys(SEARCH_ATTRIBUTES).filter((name) => !before.attributes.includes(name))).toEqual([]);

    // As after a crash: the record was not updated.
    process.kill(first.pid, 'SIGKILL');
    await vi.waitFor(() => expect(() => process.kill(first.pid, 0)).toThrow(), { timeout: 10_000 });
    const third = await startTemporalServer({ dataDir: folder, headless: true });
    expect(third.pid).not.toBe(first.pid);
    expect((await describeNamespace(third.address)).id).toBe(before.id);
    await third.close();
    // Ended, but a zombie until our own event loop reaps it: only then is the pid gone.
    await vi.waitFor(() => expect(() => process.kill(third.pid, 0)).toThrow(), { timeout: 10_000 });
  });

  it('refuses a database of another server version', async () => {
    const marker = join(folder, 'temporal/versions.json');
    const made = JSON.parse(readFileSync(marker, 'utf8')) as object;
    writeFileSync(marker, JSON.stringify({ ...made, cli: '1.5.1', server: '1.29.1' }));
    const error: unknown = await startTemporalServer({ dataDir: folder, headless: true }).catch(
      (each: unknown) => each,
    );
    expect(KubewrightError.is(error) && error.code).toBe('TEMPORAL_UNAVAILABLE');
    expect(String(error)).toContain('1.29.1');
  });
});

describe('the program', () => {
  const found = { path: '/x', version: { cli: '1.9.1', server: '1.32.0' }, source: 'b' };
  const source = (name: string, answer: Awaited<ReturnType<TemporalSource['find']>>): TemporalSource => ({
    name,
    find: () => Promise.resolve(answer),
  });

  it('is taken from the first source that works', async () => {
    const sources = [source('a', { skipped: 'not here' }), source('b', found), source('c', { ...found, source: 'c' })];
    expect(await resolveTemporalBinary({ cacheDir: folder, sources })).toEqual(found);
  });

  it('missing everywhere is an error with the cause of each source', async () => {
    const sources = [source('a', { skipped: 'not here' }), source('b', { skipped: 'no internet' })];
    const error: unknown = await resolveTemporalBinary({ cacheDir: folder, sources }).catch((each: unknown) => each);
    expect(KubewrightError.is(error) && error.evidence).toBe('a: not here\nb: no internet');
  });

  it('reports its version', () => {
    expect(parseVersion('temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)')).toEqual(found.version);
    expect(parseVersion('temporal version 1.5.1-DEV (Server 1.29.1, UI 2.42.1)')?.cli).toBe('1.5.1');
    expect(parseVersion('something else')).toBeNull();
    expect([isAtLeast('1.29.1', '1.29.0'), isAtLeast('1.9.0', '1.29.0'), isAtLeast('2.0.0', '1.29.0')]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

async function describeNamespace(address: string) {
  const connection = await Connection.connect({ address });
  try {
    const { namespaceInfo, config } = await connection.workflowService.describeNamespace({ namespace: NAMESPACE });
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: NAMESPACE });
    return {
      id: namespaceInfo?.id,
      retentionDays: Number(config?.workflowExecutionRetentionTtl?.seconds) / 86_400,
      attributes: Object.keys(customAttributes ?? {}),
    };
  } finally {
    await connection.close();
  }
}
