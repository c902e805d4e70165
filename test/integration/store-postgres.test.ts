import { execFile, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureDebianPackages } from '../../lab/debian.ts';
import { openStore } from '../../store/index.ts';
import { auditContract } from '../unit/store/audit-contract.ts';
import { keyring, storeContract } from '../unit/store/contract.ts';
import { testKey } from '../unit/store/journal-contract.ts';

const run = promisify(execFile);

/** A PostgreSQL of our own, with an empty database; given by KUBEWRIGHT_TEST_POSTGRES_URL, or started here. */
interface Server {
  url: string;
  stop(): Promise<void>;
}

async function startPostgres(): Promise<Server> {
  const given = process.env['KUBEWRIGHT_TEST_POSTGRES_URL'];
  if (given !== undefined) return { url: given, stop: () => Promise.resolve() };
  const bin = await postgresBin();
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)),
  );
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-postgres-'));
  chownSync(folder, uid!, gid!);
  const data = join(folder, 'data');
  const as = { uid: uid!, gid: gid!, cwd: folder };
  // Sorts unlike bytes: shows where we rely on an order of our own.
  const locale = ['--locale=C.UTF-8', '--locale-provider=icu', '--icu-locale=en-US'];
  await run(join(bin, 'initdb'), ['-D', data, '-U', 'kubewright', '-A', 'trust', '-E', 'UTF8', ...locale], as);
  const port = await freePort();
  const server = spawn(
    join(bin, 'postgres'),
    ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-k', folder, '-c', 'fsync=off'],
    { ...as, stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const stop = async () => {
    server.kill('SIGINT');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `postgres://kubewright@127.0.0.1:${port}/postgres`;
  for (let tries = 0; ; tries += 1) {
    try {
      await run(join(bin, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)]);
      return { url, stop };
    } catch (error) {
      if (tries > 150 || server.exitCode !== null) {
        await stop();
        throw error;
      }
      await sleep(100);
    }
  }
}

/** The newest installed PostgreSQL; Debian's is installed when there is none. */
async function postgresBin(): Promise<string> {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) {
    // Only the programs: the package would otherwise make and start a cluster of its own.
    mkdirSync('/etc/postgresql-common', { recursive: true });
    const config = '/etc/postgresql-common/createcluster.conf';
    if (!existsSync(config)) writeFileSync(config, 'create_main_cluster = false\n');
    await ensureDebianPackages(['postgresql']);
  }
  const [newest] = readdirSync(root).sort((a, b) => Number(b) - Number(a));
  return join(root, newest!, 'bin');
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

describe('store on PostgreSQL', () => {
  let server: Server;
  const query = async (url: string, statement: string): Promise<void> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query(statement);
    } finally {
      await client.end();
    }
  };
  const emptyDatabase = async (name: string): Promise<string> => {
    await query(server.url, `create database ${name}`);
    return server.url.replace(/[^/]*$/, name);
  };
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  storeContract((keys) => openStore({ url: server.url, keyring: keyring(keys) }));
  auditContract(async () => {
    const url = await emptyDatabase('audited');
    const store = await openStore({ url, keyring: keyring(testKey(1)) });
    return { store, sql: (statement) => query(url, statement), drop: () => query(server.url, 'drop database audited') };
  });

  it('two processes may start on an empty database at once', async () => {
    const url = await emptyDatabase('fresh');
    const stores = await Promise.all([1, 2, 3].map(() => openStore({ url, keyring: keyring(testKey(1)) })));
    await Promise.all(stores.map((store) => store.ping()));
    await Promise.all(stores.map((store) => store.close()));
  });

  it('says STORE_FAILED when nobody answers', async () => {
    const url = `postgres://kubewright@127.0.0.1:${await freePort()}/postgres`;
    await expect(openStore({ url, keyring: keyring(testKey(1)) })).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});
