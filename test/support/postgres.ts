import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../cli/dev/services.ts';
import { ensureDebianPackages } from '../../lab/debian.ts';
import { run, tryRun } from '../../lab/run.ts';

const ROOT = join(import.meta.dirname, '../..');

/** A PostgreSQL of Debian with passwords, as the image `postgres` sets one up. */
export interface Postgres {
  host: string;
  port: number;
  /** Name and password of its superuser. */
  superuser: { name: string; password: string };
  /** One statement as any user of any database, over TCP with the password; the rows as psql prints them. Throws. */
  query(user: string, password: string, database: string, sql: string): Promise<string>;
  stop: () => Promise<void>;
}

export interface PostgresOptions {
  /** Default `postgres`. */
  superuser?: string;
  /** Where it listens: loopback, or also the bridge of a lab. */
  listen?: string[];
  /** How users over TCP are known. Default: by their password. */
  auth?: 'scram-sha-256' | 'trust';
  /** Further options of initdb, such as a locale. */
  initdb?: readonly string[];
}

/** Starts a fresh server. Needs root, to become the user postgres. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const { superuser: name = 'postgres', listen = ['127.0.0.1'], auth = 'scram-sha-256', initdb = [] } = options;
  const bin = await programs();
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run(['id', flag, 'postgres'])).stdout)),
  );
  const folder = await mkdtemp(join(tmpdir(), 'kubewright-postgres-'));
  await chown(folder, uid!, gid!);
  const [data, passwordFile] = [join(folder, 'data'), join(folder, 'password')];
  const superuser = { name, password: 'super/secret@1' };
  await writeFile(passwordFile, superuser.password);
  const as = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--init-groups'];
  const init = ['-D', data, '-U', name, '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--no-sync'];
  await run([...as, join(bin, 'initdb'), ...init, ...initdb], { cwd: folder });
  await writeFile(join(data, 'pg_hba.conf'), `host all all 0.0.0.0/0 ${auth}\n`);
  const port = await freePort(0);
  const server = spawn(
    as[0]!,
    [
      ...as.slice(1),
      join(bin, 'postgres'),
      ...['-D', data, '-p', String(port), '-k', folder, '-c', `listen_addresses=${listen.join(',')}`],
      ...['-c', 'fsync=off', '-c', 'max_connections=200'],
    ],
    { cwd: folder, stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const stop = async () => {
    server.kill('SIGINT');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const query: Postgres['query'] = async (user, password, database, sql) => {
    const argv = ['psql', '-X', '-A', '-t', '-w', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', String(port)];
    const env = { ...process.env, PGPASSWORD: password };
    return (await run([...argv, '-U', user, '-d', database, '-c', sql], { env })).stdout.trim();
  };
  for (let tries = 0; ; tries += 1) {
    const ready = await tryRun([join(bin, 'pg_isready'), '-q', '-h', '127.0.0.1', '-p', String(port)]);
    if (ready.code === 0) return { host: '127.0.0.1', port, superuser, query, stop };
    if (tries > 300 || server.exitCode !== null) {
      await stop();
      throw new Error('PostgreSQL did not start');
    }
    await sleep(100);
  }
}

/** Passwords of the three users, with characters that an address must not take literally. */
export const DATABASE_PASSWORDS = {
  KUBEWRIGHT_DB_PASSWORD: 'k/u@b:e%1?#',
  TEMPORAL_DB_PASSWORD: 'temporal-1',
  TEMPORAL_VISIBILITY_DB_PASSWORD: 'visibility-1',
};

/** Runs deploy/postgres/setup-roles.sh against a server, as the service `database-users` does. Throws with its words. */
export async function setupRoles({ host, port, superuser }: Postgres, passwords = DATABASE_PASSWORDS): Promise<void> {
  await run(['sh', join(ROOT, 'deploy/postgres/setup-roles.sh')], {
    env: { ...process.env, ...passwords, PGHOST: host, PGPORT: String(port), PGPASSWORD: superuser.password },
  });
}

/** Where the newest installed PostgreSQL has its programs; Debian's is installed when there is none. */
async function programs(): Promise<string> {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) {
    // Only the programs: the package would otherwise make and start a cluster of its own.
    await mkdir('/etc/postgresql-common', { recursive: true });
    const config = '/etc/postgresql-common/createcluster.conf';
    if (!existsSync(config)) await writeFile(config, 'create_main_cluster = false\n');
    await ensureDebianPackages(['postgresql']);
  }
  const [newest] = readdirSync(root).sort((a, b) => Number(b) - Number(a));
  return join(root, newest!, 'bin');
}
