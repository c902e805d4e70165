import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asStoreError } from '../../../store/guard.ts';
import { openStore, type Store } from '../../../store/index.ts';
import { openSqlite } from '../../../store/sqlite.ts';
import { keyring } from './contract.ts';
import { begun, ended, testKey } from './journal-contract.ts';

/** SQLite's lock held by another connection, as another process would hold it. */
describe('a database that another process has locked', () => {
  let folder: string;
  let store: Store;
  let other: DatabaseSync;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kubewright-locked-'));
    store = await openStore({ dataDir: folder, keyring: keyring(testKey(1)) });
    await store.secrets.put('scope', 'name', 'before');
    other = new DatabaseSync(join(folder, 'kubewright.db'));
    other.exec('begin immediate');
  });
  afterEach(async () => {
    other.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('does not stop the event loop, answers reads, and takes the write when the lock is free', async () => {
    const order: string[] = [];
    const write = store.secrets.put('scope', 'name', 'after').then(() => order.push('written'));
    expect(await store.secrets.get('scope', 'name')).toBe('before');
    order.push('read');
    await sleep(20);
    order.push('timer');
    other.exec('rollback');
    await write;
    expect(order).toEqual(['read', 'timer', 'written']);
    expect(await store.secrets.get('scope', 'name')).toBe('after');
  });

  it('refuses writes with STORE_BUSY, and works again afterwards', async () => {
    const writes = Array.from({ length: 12 }, (_, n) => store.secrets.put('scope', `n-${n}`, 'value'));
    const records = Array.from({ length: 12 }, () => store.journal.record(begun('demo'), ended()));
    const settled = await Promise.allSettled([...writes, ...records]);
    expect(settled.map((each) => (each.status === 'rejected' ? each.reason.code : each.status))).toEqual(
      Array.from({ length: 24 }, () => 'STORE_BUSY'),
    );
    other.exec('rollback');
    await store.journal.record(begun('demo'), ended());
    await store.secrets.put('scope', 'name', 'after');
    expect(await store.secrets.get('scope', 'name')).toBe('after');
  });
});

describe('two processes on one file', () => {
  it('open an empty data directory at once, and each sees what the other wrote', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubewright-two-'));
    const open = () => openStore({ dataDir: folder, keyring: keyring(testKey(1)) });
    const [a, b] = await Promise.all([open(), open()]);
    await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        const one = n % 2 === 0 ? a : b;
        await one.secrets.put('scope', `n-${n}`, `${n}`);
        await one.journal.record(begun('demo'), ended());
      }),
    );
    expect(await b.secrets.list('scope')).toHaveLength(50);
    expect(await a.secrets.list('scope')).toHaveLength(50);
    await Promise.all([a.close(), b.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('a transaction that fails leaves the lock to others', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubewright-failing-'));
    const db = openSqlite(join(folder, 'kubewright.db'));
    await db.schema
      .createTable('tokens')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .execute();
    const insert = (id: string) => db.insertInto('tokens').values({ id } as never);
    const failing = db.transaction().execute(async (tx) => {
      await tx
        .insertInto('tokens')
        .values({ id: 'a' } as never)
        .execute();
      await tx
        .insertInto('tokens')
        .values({ id: 'a' } as never)
        .execute();
    });
    await expect(failing).rejects.toThrow(/UNIQUE/);
    await insert('b').execute();
    expect((await db.selectFrom('tokens').select('id').execute()).map(({ id }) => id)).toEqual(['b']);
    await db.destroy();
    rmSync(folder, { recursive: true, force: true });
  });
});

describe('errors of the engines', () => {
  it.each([
    [{ errcode: 5 }, 'STORE_BUSY'],
    [{ errcode: 517 }, 'STORE_BUSY'],
    [{ errcode: 13 }, 'STORE_FULL'],
    [{ errcode: 11 }, 'STORE_FAILED'],
    [{ code: '55P03' }, 'STORE_BUSY'],
    [{ code: '57014' }, 'STORE_BUSY'],
    [{ code: '53100' }, 'STORE_FULL'],
    [{ code: 'ENOSPC' }, 'STORE_FULL'],
    [{ code: 'ECONNREFUSED' }, 'STORE_FAILED'],
    [new Error('timeout exceeded when trying to connect'), 'STORE_BUSY'],
    [undefined, 'STORE_FAILED'],
  ])('%j is %s', (error, code) => {
    expect(asStoreError(error).code).toBe(code);
  });
});
