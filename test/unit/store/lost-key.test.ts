import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../../store/index.ts';
import { openKeyring, parseKeyring } from '../../../store/keyring.ts';
import { testKey } from './journal-contract.ts';

describe('a data directory whose secret.key is lost', () => {
  let dataDir: string;
  const open = () => openStore({ dataDir, keyring: openKeyring(dataDir) });
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'kubewright-key-'));
  });
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

  it('is refused, makes no new key, and opens again when the key is back', async () => {
    const first = await open();
    await first.secrets.put('cluster/demo', 'ca', 'key material');
    await first.close();
    renameSync(join(dataDir, 'secret.key'), join(dataDir, 'elsewhere'));
    for (let tries = 0; tries < 2; tries += 1) {
      await expect(open()).rejects.toMatchObject({ code: 'SECRET_KEY_LOST' });
      expect(existsSync(join(dataDir, 'secret.key'))).toBe(false);
    }
    await expect(openStore({ dataDir, keyring: parseKeyring(testKey(9)) })).rejects.toMatchObject({
      code: 'SECRET_KEY_LOST',
    });
    renameSync(join(dataDir, 'elsewhere'), join(dataDir, 'secret.key'));
    const again = await open();
    expect(await again.secrets.get('cluster/demo', 'ca')).toBe('key material');
    await again.close();
  });

  it('without sealed secrets starts with a new key', async () => {
    await (await open()).close();
    rmSync(join(dataDir, 'secret.key'));
    await (await open()).close();
    expect(existsSync(join(dataDir, 'secret.key'))).toBe(true);
  });
});
