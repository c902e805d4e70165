import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ensureDebianPackages } from '../debian.ts';
import { run } from '../run.ts';
import type { LabSystem } from '../systems.ts';
import { basePackages, REPACKED } from './packages.ts';
import { pack, RPM_TOOLS, repack, signedRepository } from './repository.ts';

/** Debian packages that an image needs to be a host with dnf and firewalld. netbase: firewalld ends without /etc/protocols. */
export const RPM_HOST_PACKAGES = ['dnf', 'rpm', 'firewalld', 'netbase'];

/** Files of such a host, by path. Debian's rpm has a database per account, in its home. */
export const RPM_HOST_FILES = { '/etc/rpm/macros': { content: '%_dbpath /var/lib/rpm\n' } };

const REPOSITORY = '/usr/share/kubewright-lab/rpm';
const KEY = '/etc/pki/rpm-gpg/RPM-GPG-KEY-kubewright-lab';
/** The only repository: packages without a valid signature of its key are refused. */
const REPO_FILE = `[kubewright-lab]
name=Packages of the lab
baseurl=file://${REPOSITORY}
enabled=1
gpgcheck=1
gpgkey=file://${KEY}
metadata_expire=never
`;
/** Where Debian's own package managers are moved to: an adapter that finds one would use it. */
const HIDDEN = '/usr/lib/kubewright-lab/hidden';

/**
 * Makes a fresh Debian root one of a system of the RHEL family: a signed repository inside it, the packages of the base system
 * in the RPM database, its os-release, no apt and no dpkg. A minute.
 */
export async function becomeRpmHost(root: string, system: NonNullable<LabSystem['rpm']>): Promise<void> {
  await ensureDebianPackages(RPM_TOOLS);
  const work = await mkdtemp(join(tmpdir(), 'kubewright-rpm-'));
  try {
    await repack({ root, work }, REPACKED);
    const base = basePackages(system.release);
    for (const each of base)
      await pack(work, each, { files: [], config: [], folders: [] }, join(work, 'tree', each.name));
    const key = await signedRepository(work, join(root, REPOSITORY));
    await put(root, KEY, key);
    await put(root, '/etc/yum.repos.d/kubewright-lab.repo', REPO_FILE);
    await inRoot(root, ['rpm', '--import', KEY]);
    await inRoot(root, ['rpm', '--upgrade', ...base.map(({ name }) => `${REPOSITORY}/${name}.rpm`)]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  await put(root, '/usr/lib/os-release', system.osRelease);
  await rm(join(root, 'etc/os-release'), { force: true });
  await symlink('../usr/lib/os-release', join(root, 'etc/os-release'));
  await hide(root);
  // Every host is spared reading the index.
  await inRoot(root, ['dnf', '--quiet', 'makecache']);
}

async function hide(root: string): Promise<void> {
  await mkdir(join(root, HIDDEN), { recursive: true });
  for (const folder of ['usr/bin', 'usr/sbin'])
    for (const name of await readdir(join(root, folder)))
      if (/^(apt|dpkg)/.test(name)) await rename(join(root, folder, name), join(root, HIDDEN, name));
}

async function put(root: string, path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

async function inRoot(root: string, argv: readonly string[]): Promise<void> {
  await run(['chroot', root, ...argv], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', SYSTEMD_OFFLINE: '1' },
    timeoutMs: 120_000,
  });
}
