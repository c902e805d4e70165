import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../run.ts';
import type { RepackedPackage } from './packages.ts';
import { type RpmFiles, type RpmPackage, rpmSpec, rpmVersion, simulatedInstall } from './spec.ts';

/** Debian packages of this machine that make, sign and index RPMs. */
export const RPM_TOOLS = ['rpm', 'createrepo-c', 'gnupg'];

/** What of a Debian package no RPM of ours has: texts, and what belongs to Debian's own tools. */
const LEFT_OUT = [
  '/etc/apparmor.d',
  '/etc/cron.daily',
  '/etc/default',
  '/etc/dhcp',
  '/etc/init.d',
  '/etc/logrotate.d',
  '/etc/NetworkManager',
  '/etc/ppp',
  '/etc/rsyslog.d',
  '/etc/ufw',
  '/usr/share/apport',
  '/usr/share/bash-completion',
  '/usr/share/bug',
  '/usr/share/doc',
  '/usr/share/lintian',
  '/usr/share/locale',
  '/usr/share/man',
];

/** Where one run of the build has its files. `root` is the base image that the packages are for. */
interface Build {
  readonly root: string;
  readonly work: string;
}

/** apt-get of the image, whose packages are those of its release, and not of this machine's. */
const inRoot = (root: string, argv: readonly string[]) =>
  run(['chroot', root, ...argv], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    timeoutMs: 5 * 60_000,
  });

/** Makes an RPM of every Debian package of the list, in `work/RPMS`. */
export async function repack(build: Build, packages: readonly RepackedPackage[]): Promise<void> {
  for (const each of packages) await repackOne(build, each);
}

async function repackOne({ root, work }: Build, wanted: RepackedPackage): Promise<void> {
  const tree = join(work, 'tree', wanted.rpm);
  const debs = await download(root, wanted);
  await mkdir(tree, { recursive: true });
  for (const deb of debs.files) await run(['dpkg-deb', '-x', deb, tree]);
  await mergeUsr(tree);
  for (const path of [...LEFT_OUT, ...(wanted.without ?? [])])
    await rm(join(tree, path), { recursive: true, force: true });
  for (const [path, content] of Object.entries(wanted.files ?? {})) await put(tree, path, content);
  for (const [path, target] of Object.entries(wanted.links ?? {})) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await rm(join(tree, path), { force: true });
    await symlink(target, join(tree, path));
  }
  await rm(debs.folder, { recursive: true, force: true });
  const reload = 'systemctl daemon-reload >/dev/null 2>&1 || :';
  const { enables, account } = wanted;
  const rpm: RpmPackage = {
    name: wanted.rpm,
    version: rpmVersion(debs.version),
    summary: wanted.summary,
    arch: 'native',
    requires: ['/bin/sh'],
    scripts: {
      ...(account === undefined ? {} : { pre: makeAccount(account) }),
      post: `ldconfig\n${reload}${enables === undefined ? '' : `\nsystemctl enable --quiet ${enables} || :`}`,
      ...(enables === undefined ? {} : { preun: `systemctl disable --now --quiet ${enables} || :` }),
      postun: `ldconfig\n${reload}`,
    },
  };
  await pack(work, rpm, { ...(await filesOf(tree, root)), owners: wanted.owners ?? {} }, tree);
}

/** The account that owns files of a package has to be there before them. */
const makeAccount = (name: string): string =>
  `getent passwd ${name} >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin ${name}`;

/** The package and what it needs beyond the image, as files of the image's /tmp; their folder; the version of the package. */
async function download(root: string, { debian }: RepackedPackage) {
  const { stdout } = await inRoot(root, ['apt-get', 'install', '--simulate', '--no-install-recommends', debian]);
  const names = simulatedInstall(stdout);
  const inside = `/tmp/kubewright-rpm-${debian}`;
  const folder = join(root, inside);
  await mkdir(folder, { recursive: true });
  await inRoot(root, ['sh', '-c', `cd "$1" && shift && apt-get download -q "$@"`, 'sh', inside, ...names]);
  const files = (await readdir(folder)).filter((name) => name.endsWith('.deb')).map((name) => join(folder, name));
  const own = files.find((file) => file.includes(`/${debian}_`));
  if (own === undefined) throw new Error(`apt-get download left no package ${debian}, but ${files.join(', ')}`);
  const { stdout: version } = await run(['dpkg-deb', '-f', own, 'Version']);
  return { folder, files, version: version.trim() };
}

/** In the image /lib, /bin and /sbin are links into /usr: a package with folders of these names would not fit. */
async function mergeUsr(tree: string): Promise<void> {
  for (const name of ['lib', 'lib64', 'bin', 'sbin']) {
    if (!existsSync(join(tree, name))) continue;
    await cp(join(tree, name), join(tree, 'usr', name), { recursive: true, verbatimSymlinks: true });
    await rm(join(tree, name), { recursive: true });
  }
}

async function put(tree: string, path: string, content: string): Promise<void> {
  await mkdir(dirname(join(tree, path)), { recursive: true });
  await writeFile(join(tree, path), content);
}

/** What is in the tree. Folders that the image has already belong to no package. */
async function filesOf(tree: string, root: string): Promise<RpmFiles> {
  const files: string[] = [];
  const config: string[] = [];
  const folders: string[] = [];
  for (const entry of await readdir(tree, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(tree.length);
    if (entry.isDirectory()) {
      if (!existsSync(join(root, path))) folders.push(path);
    } else if (path.startsWith('/etc/') && entry.isFile()) config.push(path);
    else files.push(path);
  }
  return { files: files.sort(), config: config.sort(), folders: folders.sort() };
}

/** Builds one RPM into `work/RPMS` from the files of a tree. */
export async function pack(work: string, rpm: RpmPackage, files: RpmFiles, tree: string): Promise<void> {
  const spec = join(work, `${rpm.name}.spec`);
  await mkdir(tree, { recursive: true });
  await writeFile(spec, rpmSpec(rpm, files));
  // A tree of its own: rpmbuild removes the folder that it was given at its end.
  const define = { _topdir: work, _rpmdir: join(work, 'RPMS'), _rpmfilename: '%{NAME}.rpm', buildroot: tree };
  const words = Object.entries(define).flatMap(([key, value]) => ['--define', `${key} ${value}`]);
  await run(['rpmbuild', '-bb', '--quiet', '--noclean', '--buildroot', tree, ...words, spec], { timeoutMs: 120_000 });
}

/** An index over signed packages, in a folder that dnf reads; returns the public key that they are signed with. */
export async function signedRepository(work: string, folder: string): Promise<string> {
  const home = join(work, 'gnupg');
  const user = 'Kubewright lab <lab@kubewright.invalid>';
  await mkdir(home, { recursive: true, mode: 0o700 });
  const gpg = (args: readonly string[]) => run(['gpg', '--homedir', home, '--batch', ...args], { timeoutMs: 60_000 });
  // RSA: rpm 4.18 verifies it with every back end. The private key stays in the folder that is removed at the end.
  await gpg(['--pinentry-mode', 'loopback', '--passphrase', '', '--quick-gen-key', user, 'rsa3072', 'sign', 'never']);
  const rpms = (await readdir(join(work, 'RPMS'))).map((name) => join(work, 'RPMS', name));
  await run(
    [
      'rpm',
      '--addsign',
      '--define',
      '__gpg /usr/bin/gpg',
      '--define',
      `_gpg_path ${home}`,
      '--define',
      `_gpg_name ${user}`,
      ...rpms,
    ],
    {
      timeoutMs: 120_000,
      env: { ...process.env, GNUPGHOME: home, LC_ALL: 'C' },
    },
  );
  await mkdir(folder, { recursive: true });
  for (const rpm of rpms) await cp(rpm, join(folder, rpm.slice(rpm.lastIndexOf('/') + 1)));
  await run(['createrepo_c', '--quiet', folder], { timeoutMs: 60_000 });
  const { stdout } = await gpg(['--armor', '--export']);
  await run(['gpgconf', '--homedir', home, '--kill', 'all']);
  return stdout;
}
