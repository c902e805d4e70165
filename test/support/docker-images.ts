import { existsSync } from 'node:fs';
import { appendFile, chmod, copyFile, cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensureBase, removeTree } from '../../lab/base.ts';
import { withLock } from '../../lab/lock.ts';
import { addRootBasics } from '../../lab/mirror/rootfs.ts';
import { debianProgramRoot } from '../../lab/mirror/sources/debian-image.ts';
import { machineArch } from '../../lab/mirror/sources/other-arch.ts';
import { defaultCacheDir } from '../../lab/paths.ts';
import { ensureProgram } from '../../lab/programs/ensure.ts';
import { temporalServer, temporalUi } from '../../lab/programs/recipes.ts';
import { run } from '../../lab/run.ts';
import { resolveTemporalBinary } from '../../worker/temporal-server/resolve.ts';
import { assembleImage } from './image.ts';

/** An image as `docker import` takes it: the tar of a root, and what its Dockerfile would say. */
export interface ImportableImage {
  /** As docker-compose.yml names it. */
  tag: string;
  tar: string;
  changes: string[];
}

type Say = (line: string) => void;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Changes with the recipes below. */
const RECIPES = 1;

/**
 * The images of docker-compose.yml where no registry is at hand. Ours is the one that the Dockerfile makes
 * (test/support/image.ts). The others stand in for the published ones, with the same programs, paths, users and
 * environment variables: PostgreSQL is Debian's 15 behind a small entrypoint instead of 16; Temporal's are its own programs,
 * schemas and entrypoint from its modules on Debian's static busybox instead of Alpine's.
 */
export async function composeImages(say: Say): Promise<ImportableImage[]> {
  const folder = join(defaultCacheDir(), 'image', `compose-${RECIPES}`);
  await mkdir(folder, { recursive: true });
  return [await kubewright(folder, say), await postgres(folder, say), ...(await temporal(folder, say))];
}

async function kubewright(folder: string, say: Say): Promise<ImportableImage> {
  const at = join(folder, 'kubewright');
  const tar = `${at}.tar`;
  const image = await assembleImage(at, say);
  try {
    await pack(image.root, tar);
  } finally {
    await image.remove();
  }
  const env = Object.entries(image.env).map(([name, value]) => `ENV ${name}=${value}`);
  const changes = [...env, `WORKDIR ${image.workdir}`, `USER ${image.user}`, 'VOLUME /data'];
  return { tag: 'kubewright:local', tar, changes: [...changes, `CMD ${JSON.stringify(image.cmd)}`] };
}

/** What the image `postgres` does when it starts, as far as the compose file relies on it. */
const POSTGRES_ENTRYPOINT = `#!/bin/sh
set -eu
data=/var/lib/postgresql/data
as() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
if [ ! -s "$data/PG_VERSION" ]; then
  : "\${POSTGRES_PASSWORD:?}"
  chown postgres:postgres "$data" && chmod 700 "$data"
  umask 077 && printf %s "$POSTGRES_PASSWORD" >/tmp/password && chown postgres /tmp/password
  as initdb -D "$data" -U "\${POSTGRES_USER:-postgres}" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256 -E UTF8
  rm /tmp/password
  echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups postgres -D "$data" -c listen_addresses='*'
`;

async function postgres(folder: string, say: Say): Promise<ImportableImage> {
  const tar = join(folder, 'postgres.tar');
  await once(tar, async (draft) => {
    say('image: postgres (Debian packages)');
    const base = await ensureBase(defaultCacheDir(), say);
    const [root, upper, work] = ['root', 'upper', 'work'].map((name) => join(`${draft}.d`, name)) as [
      string,
      string,
      string,
    ];
    for (const each of [root, upper, work]) await mkdir(each, { recursive: true });
    await run(['mount', '-t', 'overlay', 'overlay', '-o', `lowerdir=${base},upperdir=${upper},workdir=${work}`, root]);
    try {
      await copyFile('/etc/resolv.conf', join(root, 'etc/resolv.conf'));
      await mkdir(join(root, 'etc/postgresql-common'), { recursive: true });
      await writeFile(join(root, 'etc/postgresql-common/createcluster.conf'), 'create_main_cluster = false\n');
      const env = { ...process.env, PATH, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
      const install = 'apt-get update -q && apt-get install -q -y --no-install-recommends postgresql-15 </dev/null';
      await run(['chroot', root, 'sh', '-c', install], { env, timeoutMs: 600_000 });
      await mkdir(join(root, 'var/lib/postgresql/data'), { recursive: true });
      await writeFile(join(root, 'usr/local/bin/docker-entrypoint.sh'), POSTGRES_ENTRYPOINT, { mode: 0o755 });
      await pack(root, draft);
    } finally {
      await removeTree(`${draft}.d`);
    }
  });
  return {
    tag: 'postgres:16',
    tar,
    changes: [
      `ENV PATH=/usr/lib/postgresql/15/bin:${PATH}`,
      'VOLUME /var/lib/postgresql/data',
      'ENTRYPOINT ["docker-entrypoint.sh"]',
    ],
  };
}

/** Busybox has no getent, which Temporal's entrypoint asks for the address of the container. */
const GETENT = '#!/bin/sh\n[ "$1" = hosts ] && grep -w "$2" /etc/hosts | head -n 1\n';

const busybox = debianProgramRoot({
  package: 'busybox-static',
  program: 'busybox',
  at: 'bin/busybox',
  applets: true,
});

async function temporal(folder: string, say: Say): Promise<ImportableImage[]> {
  const [server, ui, { path: cli }] = [
    await ensureProgram(temporalServer, say),
    await ensureProgram(temporalUi, say),
    await resolveTemporalBinary({ onProgress: say }),
  ];
  const made = async (name: string, fill: (root: string) => Promise<void>) => {
    const tar = join(folder, `${name}.tar`);
    await once(tar, async (draft) => {
      say(`image: ${name}`);
      const root = `${draft}.d`;
      try {
        await mkdir(root);
        await busybox(root, { workDir: `${draft}.w`, report: () => undefined, arch: machineArch() });
        await addRootBasics(root, { certificates: true });
        await appendFile(join(root, 'etc/passwd'), 'temporal:x:1000:1000:temporal:/:/bin/sh\n');
        await appendFile(join(root, 'etc/group'), 'temporal:x:1000:\n');
        await program(root, 'usr/local/bin/getent', GETENT);
        await fill(root);
        await pack(root, draft);
      } finally {
        await rm(root, { recursive: true, force: true });
        await rm(`${draft}.w`, { recursive: true, force: true });
      }
    });
    return tar;
  };
  const common = [`ENV PATH=${PATH}`, 'USER temporal'];
  return [
    {
      tag: 'temporalio/server:1.32.0',
      tar: await made('temporal-server', async (root) => {
        await program(root, 'usr/local/bin/temporal-server', { from: join(server, 'temporal-server') });
        await program(root, 'etc/temporal/entrypoint.sh', { from: join(server, 'docker/scripts/sh/entrypoint.sh') });
      }),
      changes: [...common, 'WORKDIR /etc/temporal', 'CMD ["/etc/temporal/entrypoint.sh"]'],
    },
    {
      tag: 'temporalio/admin-tools:1.32.0',
      tar: await made('admin-tools', async (root) => {
        await program(root, 'usr/local/bin/temporal-sql-tool', { from: join(server, 'temporal-sql-tool') });
        await program(root, 'usr/local/bin/temporal', { from: cli });
        await cp(join(server, 'schema'), join(root, 'etc/temporal/schema'), { recursive: true });
      }),
      changes: [...common, 'CMD ["sleep", "infinity"]'],
    },
    {
      tag: 'temporalio/ui:2.54.1',
      tar: await made('temporal-ui', async (root) => {
        await program(root, 'home/ui-server/ui-server', { from: join(ui, 'temporal-ui') });
        await cp(join(ui, 'config'), join(root, 'home/ui-server/config'), { recursive: true });
      }),
      changes: [...common, 'WORKDIR /home/ui-server', 'CMD ["./ui-server", "--env", "docker", "start"]'],
    },
  ];
}

async function program(root: string, path: string, content: string | { from: string }): Promise<void> {
  const target = join(root, path);
  await mkdir(dirname(target), { recursive: true });
  if (typeof content === 'string') await writeFile(target, content);
  else await copyFile(content.from, target);
  await chmod(target, 0o755);
}

async function once(file: string, make: (draft: string) => Promise<void>): Promise<void> {
  if (existsSync(file)) return;
  await withLock(`${file}.lock`, 30 * 60_000, async () => {
    if (existsSync(file)) return;
    const draft = `${file}.tmp`;
    for (const name of await readdir(dirname(file))) {
      if (name.startsWith(`${file.split('/').at(-1)}.tmp.`)) await removeTree(join(dirname(file), name));
    }
    await make(draft);
    await rename(draft, file);
  });
}

const pack = (root: string, target: string) =>
  run(['tar', '--numeric-owner', '--one-file-system', '-C', root, '-cf', target, '.'], { timeoutMs: 300_000 });
