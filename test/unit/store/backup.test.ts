import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordIssue, tokenIssue } from '../../../api/record-issue.ts';
import { verifyDatabase } from '../../../audit/verify-database.ts';
import { placeKeys, readKeys, writeKeys } from '../../../store/backup/keys.ts';
import { restoreBackup } from '../../../store/backup/restore-backup.ts';
import { writeBackup } from '../../../store/backup/write-backup.ts';
import { openStore } from '../../../store/index.ts';
import { openKeyring, parseKeyring } from '../../../store/keyring.ts';
import { planOf } from '../../support/temporal-plan.ts';
import { begun, ended, testKey } from './journal-contract.ts';
import { spec } from './sample-spec.ts';

const CHANGE = { resource: 'file:/x', action: 'create', detail: 'new' } as const;

describe('backup and restore', () => {
  let folder: string;
  let data: string;
  let file: string;
  const place = (dataDir: string) => ({ file: join(dataDir, 'kubewright.db') });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kubewright-backup-'));
    data = join(folder, 'data');
    file = join(folder, 'backup.gz');
    const store = await openStore({ dataDir: data, keyring: testRing() });
    await store.secrets.put('cluster/demo', 'ca', 'key material');
    await store.specs.put(spec('demo'));
    await store.plans.save('op-1', planOf('demo', [{ name: 'one', hosts: ['cp-1'] }]));
    const round = { cluster: 'demo', operationId: 'op-1', phase: 'etcd', host: 'cp-1', round: 1 };
    await store.taskChanges.save(round, { changes: [CHANGE], changeCount: 1 });
    const { info, digest } = await store.tokens.create('ci', 'viewer');
    await recordIssue(store.journal, { actor: 'admin', requestId: '' }, tokenIssue(info, digest));
    for (let n = 0; n < 20; n += 1)
      await store.journal.record(begun('demo'), { ...ended(), stdout: 'x'.repeat(n * 100) });
    await store.close();
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const testRing = () => parseKeyring(testKey(1));

  it('gives the same installation: secrets open, tokens are valid, the audit finds nothing', async () => {
    const rows = await writeBackup(place(data), file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(gunzipSync(readFileSync(file)).toString()).not.toContain('key material');
    const fresh = join(folder, 'fresh');
    expect(await restoreBackup(place(fresh), file, testRing())).toMatchObject({ journal: 21, tokens: 1, secrets: 1 });
    expect(rows).toMatchObject({ journal: 21, tokens: 1, secrets: 1 });
    const store = await openStore({ dataDir: fresh, keyring: testRing() });
    expect(await store.secrets.get('cluster/demo', 'ca')).toBe('key material');
    const operation = { cluster: 'demo', operationId: 'op-1', mode: 'check' as const };
    expect(await store.taskChanges.of(operation, [{ phase: 'etcd', host: 'cp-1' }])).toMatchObject([
      { changes: [CHANGE] },
    ]);
    expect(await store.plans.get('demo', 'op-1')).toMatchObject({ phases: [{ name: 'one' }] });
    expect((await verifyDatabase(store, join(folder, 'spool'))).problems).toEqual([]);
    // It goes on where it was: the chain takes the next record.
    await store.journal.record(begun('demo'), ended());
    expect((await verifyDatabase(store, join(folder, 'spool'))).problems).toEqual([]);
    await store.close();
    // A backup of the restored one holds the same rows.
    const again = join(folder, 'again.gz');
    expect(await writeBackup(place(fresh), again)).toMatchObject({ journal: 22, links: rows['links']! + 2 });
  });

  it('is of one moment, while others write', async () => {
    const store = await openStore({ dataDir: data, keyring: testRing() });
    for (let n = 0; n < 3; n += 1) {
      const each = join(folder, `backup-${n}.gz`);
      let writing = true;
      // Only while the backup is written: else a slow machine would have more rows to restore the slower it is.
      const writer = (async () => {
        while (writing) {
          await store.journal.record(begun('demo'), ended());
          await setImmediate();
        }
      })();
      await writeBackup(place(data), each);
      writing = false;
      await writer;
      const fresh = join(folder, `fresh-${n}`);
      await restoreBackup(place(fresh), each, testRing());
      const restored = await openStore({ dataDir: fresh, keyring: testRing() });
      expect((await verifyDatabase(restored, join(folder, 'spool'))).problems).toEqual([]);
      await restored.close();
    }
    await store.close();
  });

  it('restores into an empty database only, and with the right key only', async () => {
    await writeBackup(place(data), file);
    await expect(restoreBackup(place(data), file, testRing())).rejects.toMatchObject({ code: 'CONFLICT' });
    const fresh = join(folder, 'fresh');
    const wrong = parseKeyring(testKey(9));
    await expect(restoreBackup(place(fresh), file, wrong)).rejects.toMatchObject({ code: 'SECRET_KEY_LOST' });
    expect(existsSync(fresh)).toBe(false);
    // A start that made no rows of its own is no obstacle.
    await (await openStore({ dataDir: fresh, keyring: testRing() })).close();
    await restoreBackup(place(fresh), file, testRing());
  });

  it('refuses a file that was changed, cut off, or is of another kind, and writes nothing', async () => {
    await writeBackup(place(data), file);
    const text = gunzipSync(readFileSync(file)).toString();
    const lines = text.trimEnd().split('\n');
    const secret = lines.findIndex((line) => line.includes('"t":"tokens"'));
    const without = [...lines.slice(0, secret), ...lines.slice(secret + 1)];
    const resigned = (given: string[]): string[] => {
      const digest = createHash('sha256')
        .update(`${given.slice(0, -1).join('\n')}\n`)
        .digest('hex');
      return [...given.slice(0, -1), given.at(-1)!.replace(/"sha256":"[0-9a-f]+"/, `"sha256":"${digest}"`)];
    };
    const head = (change: (head: string) => string) => resigned([change(lines[0]!), ...lines.slice(1)]);
    const cases: Record<string, Buffer> = {
      'a role': gzipSync(text.replace('"viewer"', '"admin"')),
      'a row less': gzipSync(`${without.join('\n')}\n`),
      'a row less, digest made anew': gzipSync(`${resigned(without).join('\n')}\n`),
      'no end': gzipSync(`${lines.slice(0, -1).join('\n')}\n`),
      'something behind': gzipSync(`${text}{}\n`),
      'another version': gzipSync(`${head((line) => line.replace('"version":1', '"version":2')).join('\n')}\n`),
      'a newer schema': gzipSync(
        `${head((line) => line.replace(/"schema":"[^"]+"/, '"schema":"999-later"')).join('\n')}\n`,
      ),
      'no JSON': gzipSync('hello\n'),
      'not gzip': Buffer.from(text),
      'half of it': readFileSync(file).subarray(0, 500),
      empty: Buffer.alloc(0),
      'an endless line': gzipSync(Buffer.alloc(40 * 1024 * 1024, 'x')),
    };
    for (const [name, content] of Object.entries(cases)) {
      const bad = join(folder, 'bad.gz');
      writeFileSync(bad, content);
      const fresh = join(folder, `fresh ${name}`);
      await expect(restoreBackup(place(fresh), bad, testRing()), name).rejects.toMatchObject({
        code: 'BACKUP_INVALID',
      });
    }
    await expect(restoreBackup(place(join(folder, 'f')), join(folder, 'absent'), null)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('never replaces a file, and leaves no draft behind', async () => {
    await writeBackup(place(data), file);
    const missing = join(folder, 'missing', 'kubewright.db');
    await expect(writeBackup({ file: missing }, join(folder, 'other.gz'))).rejects.toMatchObject({
      code: 'STORE_FAILED',
    });
    expect(existsSync(join(folder, 'other.gz'))).toBe(false);
    expect(existsSync(join(folder, 'other.gz.part'))).toBe(false);
    await expect(writeBackup(place(data), file)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('keys: apart, mode 0600, never over another key', () => {
    openKeyring(data);
    writeFileSync(join(data, 'audit.key'), 'pem', { mode: 0o600 });
    const keys = join(folder, 'keys.json');
    expect(writeKeys(data, { KUBEWRIGHT_AUDIT_KEY: 'given' }, keys)).toEqual([
      'audit.key',
      'secret.key',
      'KUBEWRIGHT_AUDIT_KEY',
    ]);
    expect(statSync(keys).mode & 0o777).toBe(0o600);
    const fresh = join(folder, 'fresh');
    placeKeys(fresh, readKeys(keys));
    placeKeys(fresh, readKeys(keys));
    expect(readFileSync(join(fresh, 'secret.key'))).toEqual(readFileSync(join(data, 'secret.key')));
    expect(statSync(join(fresh, 'secret.key')).mode & 0o777).toBe(0o600);
    writeFileSync(join(fresh, 'audit.key'), 'another');
    rmSync(join(fresh, 'secret.key'));
    expect(() => placeKeys(fresh, readKeys(keys))).toThrow(/another key/);
    expect(existsSync(join(fresh, 'secret.key'))).toBe(false);
    writeFileSync(keys, '{"format":"kubewright-keys","files":{"../../etc/passwd":"x"}}');
    expect(() => readKeys(keys)).toThrow(/not a file of keys/);
  });
});
