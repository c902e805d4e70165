import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CATALOGUE } from '../activities/phases/catalogue.ts';
import { type Issued, issueCa, issueLeaf } from '../activities/pki/certificates.ts';
import { KubewrightError } from '../contracts/errors.ts';
import { cgroupsNamed, removeCgroups } from './cgroups.ts';
import { withFileLock } from './mirror/lock.ts';
import { type LabPaths, type LabRef, labOfRef } from './paths.ts';
import { isAlive } from './processes.ts';
import { ensureProgram } from './programs/ensure.ts';
import { earlierEtcd } from './programs/recipes.ts';
import { run, tail } from './run.ts';
import { spawnInCgroups } from './spawn.ts';

/** A user of the server. Clients name themselves by password, or by the common name of their certificate. */
export interface LabEtcdUser {
  name: string;
  /** Absent: by certificate only. */
  password?: string;
  /** Keys that begin so, and what may be done with them; none: nothing. */
  grants: readonly { prefix: string; permission: 'read' | 'write' | 'readwrite' }[];
}

/** How an etcd that is not Kubewright's is started. */
export interface LabEtcdOptions {
  /** Of several servers of one lab, which one; letters, digits, `-`. */
  label?: string;
  /** Address of this machine that the hosts of the lab reach, such as their gateway. */
  address: string;
  /** Default 2379; the next one is for its peers. */
  port?: number;
  /** Default: that of the catalogue, from the mirror. Another one is built from its Go module, a minute the first time. */
  version?: string;
  /** Default true: https, with a certificate of the server's own authority. */
  tls?: boolean;
  /** Default true with TLS: clients need a certificate of that authority. */
  clientCertificates?: boolean;
  /** Authority of its certificates; default: one of its own. */
  authority?: Issued;
  /** With users authentication is on; a user `root` with the password `root` is added. */
  users?: readonly LabEtcdUser[];
  /** Serves the HTTP API of etcd 2 as well; of versions before 3.6. */
  v2?: boolean;
}

/** An etcd beside the lab's hosts: for discovery, or as the cluster's external etcd. */
export interface LabEtcd {
  url: string;
  /** PEM of the authority of its certificates, and of those that its clients need. */
  ca: string;
  authority: Issued;
  /** A certificate for a client, with this common name. */
  client(commonName: string): Promise<Issued>;
  /** Path of an etcdctl on this machine, for tests that ask as another user. */
  etcdctl: string;
  /** Runs etcdctl as root of the server; returns what it printed. Throws LAB_FAILED. */
  ctl(...args: string[]): Promise<string>;
  /** Ends it; its data stays until `start` or the lab is taken down. */
  halt(): Promise<void>;
  /** Starts it again, with its data. */
  resume(): Promise<void>;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 20_000;
/** The etcd of the catalogue, which is in every mirror. */
const ETCD = CATALOGUE.artifacts.find(({ name }) => name === 'etcd')!;

/** Dots are in no name of a lab, so no other lab has these. */
const cgroupPrefix = ({ name }: LabPaths): string => `kwlab-${name}.etcd-`;

/** Starts an empty etcd for the hosts of a lab. What an earlier run left under the label is removed first. */
export async function startEtcd(ref: LabRef, options: LabEtcdOptions): Promise<LabEtcd> {
  const lab = labOfRef(ref);
  const { label = 'one', address, port = 2379, tls = true, clientCertificates = tls, users = [] } = options;
  const dir = join(lab.stateDir, `etcd-${label}`);
  const cgroup = cgroupPrefix(lab) + label;
  await removeCgroups(cgroup);
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true, mode: 0o700 });

  const [tools, server] = await Promise.all([catalogueEtcd(lab), serverOf(lab, options.version)]);
  const now = new Date();
  const authority = options.authority ?? (await issueCa(`lab ${lab.name} etcd ${label}`, now));
  const leaf = (commonName: string, usages: readonly ('server' | 'client')[], ipAddresses: string[] = []) =>
    issueLeaf(authority, { authority: 'etcd', name: commonName, commonName, ipAddresses, usages }, now);
  const own = await leaf('etcd', ['server', 'client'], [address, '127.0.0.1']);
  const root = await leaf('root', ['client']);
  const at = (file: string): string => join(dir, file);
  const texts = { 'ca.crt': authority.cert, 'own.crt': own.cert, 'own.key': own.key };
  const rootTexts = { 'root.crt': root.cert, 'root.key': root.key };
  for (const [file, text] of Object.entries({ ...texts, ...rootTexts }))
    await writeFile(at(file), text, { mode: 0o600 });

  const scheme = tls ? 'https' : 'http';
  const url = `${scheme}://${address}:${port}`;
  const peerUrl = `http://127.0.0.1:${port + 1}`;
  const flags = [
    ...['--name=lab', `--data-dir=${at('data')}`, '--unsafe-no-fsync', '--logger=zap'],
    ...[`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`],
    ...[
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=lab=${peerUrl}`,
    ],
    ...(tls
      ? [`--cert-file=${at('own.crt')}`, `--key-file=${at('own.key')}`, `--trusted-ca-file=${at('ca.crt')}`]
      : []),
    ...(clientCertificates ? ['--client-cert-auth'] : []),
    ...(options.v2 ? ['--enable-v2'] : []),
  ];
  const access = tls ? ['--cacert', at('ca.crt'), '--cert', at('root.crt'), '--key', at('root.key')] : [];
  // A client that gives a password is who the password says, whatever its certificate.
  let env = { ...process.env };
  const etcdctl = (args: readonly string[], input = '') =>
    run([join(tools, 'etcdctl'), '--endpoints', url, ...access, ...args], { env, input, timeoutMs: 20_000 });

  const resume = async (): Promise<void> => {
    const log = at('etcd.log');
    const id = await spawnInCgroups(cgroup, [join(server, 'etcd'), ...flags], log);
    const deadline = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      const answers = await etcdctl(['--command-timeout=2s', 'endpoint', 'health']).then(
        () => true,
        () => false,
      );
      if (answers) return;
      if (id === null || !(await isAlive(id)) || Date.now() > deadline) {
        const evidence = tail(await readFile(log, 'utf8').catch(() => ''));
        throw new KubewrightError('LAB_FAILED', `the lab's etcd does not answer at ${url}`, { evidence });
      }
      await sleep(100);
    }
  };
  await resume();
  if (users.length > 0) {
    const everything = [{ prefix: '', permission: 'readwrite' as const }];
    for (const user of [...users, { name: 'root', password: 'root', grants: everything }]) await addUser(etcdctl, user);
    await etcdctl(['auth', 'enable']);
    env = { ...env, ETCDCTL_USER: 'root:root' };
  }
  return {
    url,
    ca: authority.cert,
    authority,
    client: (commonName) => leaf(commonName, ['client']),
    etcdctl: join(tools, 'etcdctl'),
    ctl: async (...args) => (await etcdctl(args)).stdout,
    halt: () => removeCgroups(cgroup),
    resume,
    stop: async () => {
      await removeCgroups(cgroup);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Ends every etcd that was started for a lab. */
export async function stopEtcds(lab: LabPaths): Promise<void> {
  for (const name of await cgroupsNamed(cgroupPrefix(lab))) await removeCgroups(name);
}

async function addUser(
  etcdctl: (args: readonly string[], input?: string) => Promise<unknown>,
  { name, password, grants }: LabEtcdUser,
): Promise<void> {
  if (password === undefined) await etcdctl(['user', 'add', name, '--no-password']);
  else await etcdctl(['user', 'add', name, '--interactive=false'], `${password}\n`);
  await etcdctl(['role', 'add', name]);
  for (const { prefix, permission } of grants)
    await etcdctl(['role', 'grant-permission', name, '--prefix=true', permission, prefix]);
  await etcdctl(['user', 'grant-role', name, name]);
}

/** Folder with the catalogue's etcd and etcdctl, unpacked from the mirror. */
async function catalogueEtcd({ cacheDir }: LabPaths): Promise<string> {
  const file = ETCD.file(ETCD.version, process.arch === 'arm64' ? 'arm64' : 'amd64');
  const home = join(cacheDir, 'programs', `etcd-${ETCD.version}-mirror`);
  if (existsSync(home)) return home;
  await mkdir(join(cacheDir, 'programs'), { recursive: true });
  return withFileLock(
    `${home}.lock`,
    () => {},
    async () => {
      if (existsSync(home)) return home;
      const { buildMirror } = await import('./mirror-server.ts');
      const archive = join(await buildMirror(cacheDir, [], () => {}), file.mirrorPath);
      const draft = `${home}.tmp`;
      await rm(draft, { recursive: true, force: true });
      await mkdir(draft);
      await run(['tar', '-xzf', archive, '-C', draft, '--strip-components=1']);
      await run(['mv', '-T', draft, home]);
      return home;
    },
  );
}

async function serverOf(lab: LabPaths, version: string | undefined): Promise<string> {
  if (version === undefined || version === ETCD.version) return catalogueEtcd(lab);
  return ensureProgram(earlierEtcd(version), () => {}, lab.cacheDir);
}
