import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from 'vitest';
import { openStore } from '../../../store/index.ts';
import { openKeyring } from '../../../store/keyring.ts';
import { anchorContract } from './anchor-contract.ts';
import { auditContract, type FreshDatabase } from './audit-contract.ts';
import { keyring, storeContract } from './contract.ts';
import { testKey } from './journal-contract.ts';
import { pruningContract } from './pruning-contract.ts';
import { retentionContract } from './retention-contract.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'kubewright-store-'));
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

async function freshSqlite(): Promise<FreshDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-audited-'));
  const store = await openStore({ dataDir: folder, keyring: keyring(testKey(1)) });
  const raw = new DatabaseSync(join(folder, 'kubewright.db'));
  return {
    store,
    sql: async (statement) => raw.exec(statement),
    number: async (select) => Number(raw.prepare(select).get()!['n']),
    async drop() {
      raw.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

describe('store on SQLite', () => {
  storeContract((keys) => openStore({ dataDir, keyring: keyring(keys) }));
  for (const contract of [auditContract, anchorContract, pruningContract, retentionContract]) contract(freshSqlite);

  it('is a file that only its owner reads, and holds no secret in clear', async () => {
    const store = await openStore({ dataDir, keyring: keyring(testKey(1)) });
    await store.secrets.put('plain', 'text', 'correct horse battery staple');
    await store.close();
    const file = join(dataDir, 'kubewright.db');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const raw = new DatabaseSync(file);
    const row = raw.prepare(`select sealed from secrets where scope = 'plain'`).get();
    expect(Buffer.from(row!['sealed'] as Uint8Array).toString('latin1')).not.toContain('correct horse');
    raw.close();
  });

  it('notices a secret that was moved to another row', async () => {
    const store = await openStore({ dataDir, keyring: keyring(testKey(1)) });
    await store.secrets.put('move', 'a', 'of a');
    await store.close();
    const raw = new DatabaseSync(join(dataDir, 'kubewright.db'));
    raw.exec(`update secrets set name = 'b' where scope = 'move' and name = 'a'`);
    raw.close();
    const again = await openStore({ dataDir, keyring: keyring(testKey(1)) });
    await expect(again.secrets.get('move', 'b')).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' });
    await again.close();
  });

  it('rotation with the key file: renews it, survives its process, and drops the old key on request', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubewright-rotate-'));
    const open = () => openStore({ dataDir: folder, keyring: openKeyring(folder) });
    const service = await open();
    for (let n = 0; n < 400; n++) await service.secrets.put('many', `n-${n}`, `value ${n}`);
    const first = openKeyring(folder).currentId;

    // A process that dies half way: its database is gone from one statement to the next.
    const dying = await open();
    const rotation = dying.rotation.rotate().catch(() => 'died');
    const sealedAnew = () => rows(folder).filter((keyId) => keyId !== first).length;
    await expect.poll(sealedAnew, { interval: 1 }).toBeGreaterThan(0);
    await dying.close();
    expect(await rotation).toBe('died');
    expect(rows(folder)).toContain(first);

    // The running service sees the new key by itself, and what is still under the old one.
    for (let n = 0; n < 400; n += 40) expect(await service.secrets.get('many', `n-${n}`)).toBe(`value ${n}`);
    const second = openKeyring(folder).currentId;
    expect(second).not.toBe(first);
    const { keyId } = await service.rotation.rotate();
    expect(new Set(rows(folder))).toEqual(new Set([keyId]));
    expect(await service.rotation.dropOld()).not.toEqual([]);
    expect(openKeyring(folder).ids).toEqual([keyId]);
    expect(await service.secrets.get('many', 'n-399')).toBe('value 399');
    await service.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('fails with STORE_FAILED when it cannot be opened', async () => {
    await expect(openStore({ dataDir: '/dev/null/x', keyring: keyring(testKey(1)) })).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
    await expect(openStore({ keyring: keyring(testKey(1)) })).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});

/** Key ids of all secrets, as another process reads them. */
function rows(folder: string): string[] {
  const raw = new DatabaseSync(join(folder, 'kubewright.db'), { readOnly: true });
  try {
    return raw
      .prepare('select key_id from secrets')
      .all()
      .map((row) => String(row['key_id']));
  } finally {
    raw.close();
  }
}
