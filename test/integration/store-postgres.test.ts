import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../cli/dev/services.ts';
import { openStore, openStoreReadOnly } from '../../store/index.ts';
import { startPostgres } from '../support/postgres.ts';
import { type Sample, sampleOperation } from '../unit/audit/sample.ts';
import { anchorContract } from '../unit/store/anchor-contract.ts';
import { auditContract, type FreshDatabase } from '../unit/store/audit-contract.ts';
import { keyring, storeContract } from '../unit/store/contract.ts';
import { begun, ended, testKey } from '../unit/store/journal-contract.ts';
import { pruningContract } from '../unit/store/pruning-contract.ts';
import { retentionContract } from '../unit/store/retention-contract.ts';
import { spec } from '../unit/store/sample-spec.ts';

const MAIN = join(import.meta.dirname, '../../cli/main.ts');

/** An empty database whose user may do everything: given by KUBEWRIGHT_TEST_POSTGRES_URL, or on a server of our own. */
async function emptyServer(): Promise<{ url: string; stop(): Promise<void> }> {
  const given = process.env['KUBEWRIGHT_TEST_POSTGRES_URL'];
  if (given !== undefined) return { url: given, stop: () => Promise.resolve() };
  // Sorts unlike bytes: shows where we rely on an order of our own. Users of a test's own need no password.
  const initdb = ['--locale=C.UTF-8', '--locale-provider=icu', '--icu-locale=en-US'];
  const { host, port, superuser, stop } = await startPostgres({ superuser: 'kubewright', auth: 'trust', initdb });
  return { url: `postgres://${superuser.name}@${host}:${port}/postgres`, stop };
}

describe('store on PostgreSQL', () => {
  let server: Awaited<ReturnType<typeof emptyServer>>;
  const query = async (url: string, statement: string): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(statement)).rows;
    } finally {
      await client.end();
    }
  };
  const emptyDatabase = async (name: string): Promise<string> => {
    await query(server.url, `create database ${name}`);
    return server.url.replace(/[^/]*$/, name);
  };
  beforeAll(async () => {
    server = await emptyServer();
  });
  afterAll(() => server.stop());

  storeContract((keys) => openStore({ url: server.url, keyring: keyring(keys) }));
  let databases = 0;
  const freshPostgres = async (): Promise<FreshDatabase> => {
    const name = `audited_${++databases}`;
    const url = await emptyDatabase(name);
    return {
      store: await openStore({ url, keyring: keyring(testKey(1)) }),
      sql: async (statement) => void (await query(url, statement)),
      number: async (select) => Number((await query(url, select))[0]!['n']),
      drop: async () => void (await query(server.url, `drop database ${name}`)),
    };
  };
  for (const contract of [auditContract, anchorContract, pruningContract, retentionContract]) contract(freshPostgres);

  describe('`audit check`', () => {
    let database: FreshDatabase;
    let sample: Sample;
    let url: string;
    const key = () => join(sample.folder, 'public.pem');
    const check = (address: string) => {
      const argv = [MAIN, 'audit', 'check', '--data', sample.folder, '--url', address, '--key', key()];
      const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
      return { code: status, out: stdout, err: stderr };
    };
    /** Rows ever written, by table; and what there is beside rows. */
    const written = async () => ({
      rows: await query(
        url,
        'select relname, n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables order by relname',
      ),
      relations: await query(
        url,
        `select relname, relkind from pg_class where relnamespace = 'public'::regnamespace order by 1, 2`,
      ),
    });

    beforeAll(async () => {
      database = await freshPostgres();
      sample = await sampleOperation(database.store);
      writeFileSync(key(), sample.signer.publicKey);
      url = server.url.replace(/[^/]*$/, `audited_${databases}`);
    });
    afterAll(async () => {
      await sample.close();
      await database.drop();
      await query(server.url, 'drop role auditor');
    });

    it('writes nothing, and needs no right to', async () => {
      await query(url, 'create role auditor login; grant select on all tables in schema public to auditor');
      const address = url.replace('kubewright@', 'auditor@');
      await expect(query(address, 'delete from journal')).rejects.toThrow('permission denied');
      // A session counts what it wrote up to 10 s later, or when it ends.
      const others = 'datname = current_database() and pid <> pg_backend_pid()';
      await query(url, `select pg_terminate_backend(pid) from pg_stat_activity where ${others}`);
      await expect.poll(() => query(url, `select pid from pg_stat_activity where ${others}`)).toEqual([]);
      const before = await written();
      expect(before.rows.length).toBeGreaterThan(10);
      for (const as of [address, url]) {
        const { code, out, err } = check(as);
        expect({ code, err }, out).toEqual({ code: 0, err: '' });
        expect(out).toMatch(/^unchanged: [1-9]\d* links in [1-9]/);
      }
      expect(await written()).toEqual(before);
      await database.sql(`update journal set actor = 'nobody' where host = 'w-1'`);
      expect(check(address)).toMatchObject({ code: 1, out: expect.stringContaining('CHANGED: journal') });
    });

    it('runs in a read-only session of the server, with any rights of its user', async () => {
      const store = await openStoreReadOnly({ url, dataDir: sample.folder, keyring: keyring(testKey(1)) });
      try {
        const readOnly = { evidence: expect.stringContaining('read-only transaction') as string };
        await expect(store.specs.put(spec('new'))).rejects.toMatchObject(readOnly);
        await expect(store.journal.record(begun('new'), ended())).rejects.toMatchObject(readOnly);
        expect((await store.chains.totals()).links).toBeGreaterThan(0);
      } finally {
        await store.close();
      }
    });

    it('runs no migration: it lists the migrations that an older database lacks', async () => {
      const older = await emptyDatabase('older');
      await (await openStore({ url: older, keyring: keyring(testKey(1)) })).close();
      await query(older, `delete from kysely_migration where name = '009-signed-heads'; drop table anchors`);
      const { code, err } = check(older);
      expect(code).toBe(1);
      expect(err).toContain('009-signed-heads');
      expect(await query(older, `select to_regclass('anchors')::text as found`)).toEqual([{ found: null }]);
      await query(server.url, 'drop database older');
    });
  });

  it('two processes may start on an empty database at once', async () => {
    const url = await emptyDatabase('fresh');
    const stores = await Promise.all([1, 2, 3].map(() => openStore({ url, keyring: keyring(testKey(1)) })));
    await Promise.all(stores.map((store) => store.ping()));
    await Promise.all(stores.map((store) => store.close()));
  });

  it('fails with STORE_FAILED when the database does not answer', async () => {
    const url = `postgres://kubewright@127.0.0.1:${await freePort(0)}/postgres`;
    await expect(openStore({ url, keyring: keyring(testKey(1)) })).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});
