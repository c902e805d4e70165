import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from 'vitest';
import { openStore } from '../../../store/index.ts';
import { keyring, storeContract, testKey } from './contract.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'kubewright-store-'));
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

describe('store on SQLite', () => {
  storeContract((keys) => openStore({ dataDir, keyring: keyring(keys) }));

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

  it('says STORE_FAILED when it cannot be opened', async () => {
    await expect(openStore({ dataDir: '/dev/null/x', keyring: keyring(testKey(1)) })).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
    await expect(openStore({ keyring: keyring(testKey(1)) })).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});
