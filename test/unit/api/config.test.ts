import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ensureAdminToken } from '../../../api/admin-token.ts';
import { parseConfig } from '../../../api/config.ts';
import { openStore } from '../../../store/index.ts';
import { parseKeyring } from '../../../store/keyring.ts';

const key = Buffer.alloc(32, 3).toString('base64');

it('needs nothing: loopback, port 8080, ./.kubewright', () => {
  expect(parseConfig({})).toMatchObject({ host: '127.0.0.1', port: 8080, process: 'all', databaseUrl: undefined });
  expect(parseConfig({}).dataDir).toMatch(/\/\.kubewright$/);
  expect(parseConfig({ KUBEWRIGHT_DATABASE_URL: '', TEMPORAL_ADDRESS: '' }).temporal.address).toBeUndefined();
});

it('reports all problems together', () => {
  const wrong = {
    KUBEWRIGHT_PORT: 'x',
    KUBEWRIGHT_LOG_LEVEL: 'loud',
    KUBEWRIGHT_HOST: '0.0.0.0',
    KUBEWRIGHT_TLS_CERT: '/c',
  };
  expect(() => parseConfig(wrong)).toThrow(/PORT[\s\S]*LOG_LEVEL[\s\S]*TLS_CERT and [\s\S]*not loopback/);
});

it.each(['0.0.0.0', '::', '192.168.1.4', 'kubewright.example', '127.evil.example'])(
  'listens on %s only with TLS, or when plaintext was asked for',
  (host) => {
    expect(() => parseConfig({ KUBEWRIGHT_HOST: host })).toThrow(/not loopback/);
    expect(parseConfig({ KUBEWRIGHT_HOST: host, KUBEWRIGHT_ALLOW_PLAINTEXT: '1' }).host).toBe(host);
    const tls = { KUBEWRIGHT_TLS_CERT: '/c', KUBEWRIGHT_TLS_KEY: '/k' };
    expect(parseConfig({ KUBEWRIGHT_HOST: host, ...tls }).tls).toEqual({ cert: '/c', key: '/k' });
  },
);

it('the API alone needs Temporal, PostgreSQL needs a shared key', () => {
  expect(() => parseConfig({ KUBEWRIGHT_PROCESS: 'api' })).toThrow(/TEMPORAL_ADDRESS/);
  expect(() => parseConfig({ KUBEWRIGHT_DATABASE_URL: 'postgres://db/kw' })).toThrow(/SECRET_KEY/);
  expect(() => parseConfig({ KUBEWRIGHT_DATABASE_URL: 'mysql://db/kw', KUBEWRIGHT_SECRET_KEY: key })).toThrow(
    /postgres/,
  );
  const env = {
    KUBEWRIGHT_PROCESS: 'api',
    TEMPORAL_ADDRESS: 'temporal:7233',
    KUBEWRIGHT_DATABASE_URL: 'postgres://db/kw',
    KUBEWRIGHT_SECRET_KEY: key,
  };
  expect(parseConfig(env)).toMatchObject({ process: 'api', temporal: { address: 'temporal:7233' } });
});

it('the first start writes an admin token that works; the next start leaves it', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'kubewright-token-'));
  const store = await openStore({ dataDir, keyring: parseKeyring(key) });
  try {
    const file = await ensureAdminToken(dataDir, store);
    const token = readFileSync(file, 'utf8').trim();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await store.tokens.verify(token)).toMatchObject({ actor: { name: 'admin', role: 'admin' }, clusters: null });
    await ensureAdminToken(dataDir, store);
    expect(readFileSync(file, 'utf8').trim()).toBe(token);
    expect(readdirSync(dataDir).filter((name) => name.startsWith('admin-token'))).toEqual(['admin-token']);

    const [first] = await store.tokens.list();
    const { items } = await store.journal.list({ cluster: '', limit: 10 });
    expect(items).toMatchObject([
      { kind: 'issue', actor: 'kubewright', changes: [{ resource: `token:${first!.id}` }] },
    ]);
    expect(JSON.stringify(items)).not.toContain(token);

    await store.tokens.revoke(first!.id);
    // A token of some clusters does not give access to the others.
    await store.tokens.create('team', 'admin', { clusters: ['mine'] });
    await ensureAdminToken(dataDir, store);
    expect(await store.tokens.verify(readFileSync(file, 'utf8').trim())).toMatchObject({ actor: { role: 'admin' } });

    // A token whose file cannot be written is revoked, and the next start creates another.
    const nowhere = join(dataDir, 'nowhere');
    for (const { id, name } of await store.tokens.list()) if (name === 'admin') await store.tokens.revoke(id);
    await expect(ensureAdminToken(nowhere, store)).rejects.toThrow('ENOENT');
    mkdirSync(nowhere);
    expect(readFileSync(await ensureAdminToken(nowhere, store), 'utf8')).toMatch(/^kw_/);
  } finally {
    await store.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
});
