import { constants } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import type { CredentialScope } from '../../contracts/credential.ts';
import { addressVerdict, type CredentialUse, clusterInScope } from '../../contracts/credential-use.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { pathWithin } from '../../contracts/login-paths.ts';
import type { ClientCertificate } from './client-certificate.ts';
import { KeyUnusable, readPrivateKey } from './private-key.ts';

/** A secret that opens a host. `password` beside a key: for sudo, and for sshd when it asks for one after the key. */
export type Credential =
  | { kind: 'key'; privateKey: string; passphrase?: string | undefined; password?: string | undefined }
  /** Also given to sudo, on its standard input. */
  | { kind: 'password'; password: string }
  | { kind: 'agent'; socket: string };

/** A login to a forward proxy. Never used for hosts, as logins of hosts are never sent to proxies. */
export interface ProxyLogin {
  kind: 'proxy';
  user: string;
  password: string;
}

/** A login to a registry of images. Never used for hosts. */
export interface RegistryLogin {
  kind: 'registry-login';
  user: string;
  /** Or an access token. */
  password: string;
}

/** A secret, and the addresses that it may go to; undefined: any. A name is then compared with what it resolves to. */
export type OpenedCredential = Credential & { addresses?: readonly string[] | undefined };

/** Turns a reference into the secret, for one use by one cluster. Throws SSH_CREDENTIAL_UNUSABLE. */
export interface CredentialResolver {
  resolve(cluster: string, use: CredentialUse): Promise<OpenedCredential>;
  /** Throws as `resolve` does when the use is not, or no longer, allowed. Opens no key. */
  check?(cluster: string, use: CredentialUse): Promise<void>;
}

export interface CredentialResolverDeps {
  /** A stored credential with its scope, null when there is none by that name. */
  named?:
    | ((
        name: string,
      ) => Promise<((Credential | ProxyLogin | RegistryLogin | ClientCertificate) & CredentialScope) | null>)
    | undefined;
  /** An admin of all clusters approved this use. Default: no. */
  approved?: ((cluster: string, use: CredentialUse) => Promise<boolean>) | undefined;
  /** Folders and paths whose key files and sockets need no approval. */
  paths?: readonly string[] | undefined;
  logger?: HostLogger | undefined;
}

/** Where warnings go. pino fits. */
export interface HostLogger {
  debug(details: object, message: string): void;
  warn(details: object, message: string): void;
}

/** A private key file is at most a few KiB; anything larger is something else. */
const KEY_FILE_BYTES = 64 * 1024;

/**
 * Resolves key files and agent sockets of the worker machine; named credentials through `named` (the store). Keys are
 * parsed here, so that a bad one is not confused with a refused one. A credential that may not be used here is answered just
 * as one that does not exist: the error must reveal neither names nor files. The log has the reason.
 */
export function createCredentialResolver(deps: CredentialResolverDeps): CredentialResolver {
  const { logger, paths = [] } = deps;
  const approved = deps.approved ?? (() => Promise.resolve(false));
  const named = async (cluster: string, use: CredentialUse, name: string) => {
    const found = await storedCredential(deps, cluster, use, name);
    if (found.kind === 'proxy') throw refusedCredential(logger, cluster, use, name, 'it is a login to a proxy');
    if (found.kind === 'registry-login')
      throw refusedCredential(logger, cluster, use, name, 'it is a login to a registry');
    if (found.kind === 'client-certificate')
      throw refusedCredential(logger, cluster, use, name, 'it is a client certificate');
    return found;
  };
  /** The path behind all links, when it may be used. */
  const local = async (cluster: string, use: CredentialUse, path: string): Promise<string> => {
    if (await approved(cluster, use)) {
      return realpath(path).catch((error: unknown) => {
        throw unusable(`${path} cannot be read`, error);
      });
    }
    const [real, ...allowed] = await Promise.all([path, ...paths].map((each) => realpath(each).catch(() => null)));
    if (
      real &&
      pathWithin(
        allowed.flatMap((each) => each ?? []),
        real,
      )
    )
      return real;
    throw unusable(`${path} cannot be read, or is not among the paths of KUBEWRIGHT_LOGIN_PATHS`);
  };

  return {
    async check(cluster, use) {
      const { credential: ref } = use;
      if ('name' in ref) await named(cluster, use, ref.name);
      else await local(cluster, use, 'keyFile' in ref ? ref.keyFile : ref.agent);
    },
    async resolve(cluster, use) {
      const { credential: ref } = use;
      if ('keyFile' in ref) {
        const real = await local(cluster, use, ref.keyFile);
        return checkedCredential(await fromFile(real, ref.keyFile, logger), ref.keyFile);
      }
      if ('agent' in ref) return fromAgent(await local(cluster, use, ref.agent));
      const { clusters: _clusters, addresses, ...found } = await named(cluster, use, ref.name);
      if (found.kind === 'agent') return fromAgent(found.socket);
      return { ...checkedCredential(found, ref.name), ...(addresses === undefined ? {} : { addresses }) };
    },
  };
}

/** The login to a proxy for this use by this cluster. Throws SSH_CREDENTIAL_UNUSABLE, as for logins to hosts. */
export async function openProxyLogin(
  deps: CredentialResolverDeps,
  cluster: string,
  use: CredentialUse,
): Promise<ProxyLogin> {
  const name = 'name' in use.credential ? use.credential.name : '';
  const { clusters: _clusters, addresses, ...found } = await storedCredential(deps, cluster, use, name);
  if (found.kind !== 'proxy') throw refusedCredential(deps.logger, cluster, use, name, 'it is no login to a proxy');
  // Hosts resolve the proxy's name, each for itself: only the name as it stands can be compared.
  if (addressVerdict({ addresses }, use) !== 'allowed') {
    throw refusedCredential(deps.logger, cluster, use, name, 'its addresses do not list the name of the proxy');
  }
  return found;
}

/** The login to a registry for this use by this cluster. Throws SSH_CREDENTIAL_UNUSABLE, as for logins to hosts. */
export async function openRegistryLogin(
  deps: CredentialResolverDeps,
  cluster: string,
  use: CredentialUse,
): Promise<RegistryLogin> {
  const name = 'name' in use.credential ? use.credential.name : '';
  const { clusters: _clusters, addresses, ...found } = await storedCredential(deps, cluster, use, name);
  if (found.kind !== 'registry-login')
    throw refusedCredential(deps.logger, cluster, use, name, 'it is no login to a registry');
  // Hosts resolve the name of the registry, each for itself: only the name as it stands can be compared.
  if (addressVerdict({ addresses }, use) !== 'allowed') {
    throw refusedCredential(deps.logger, cluster, use, name, 'its addresses do not list the name of the registry');
  }
  return found;
}

/** A stored credential that this cluster may use like this. Throws SSH_CREDENTIAL_UNUSABLE. */
export async function storedCredential(
  deps: CredentialResolverDeps,
  cluster: string,
  use: CredentialUse,
  name: string,
) {
  const found = await deps.named?.(name);
  const refuse = (why: string) => refusedCredential(deps.logger, cluster, use, name, why);
  if (!found) throw refuse('there is none by that name');
  const inScope = found.clusters
    ? clusterInScope(found.clusters, cluster)
    : ((await deps.approved?.(cluster, use)) ?? false);
  if (!inScope) throw refuse('it is not for this cluster');
  if (addressVerdict(found, use) === 'refused') throw refuse('it is not for this address');
  return found;
}

/** The log says why; the error is that of a credential which does not exist. */
export function refusedCredential(
  logger: HostLogger | undefined,
  cluster: string,
  use: CredentialUse,
  name: string,
  why: string,
): KubewrightError {
  logger?.warn({ cluster, credential: name, address: use.address, why }, 'the worker cannot use a credential');
  return unusable(noCredential(name, cluster, use.address));
}

/** What is said of a credential that is not there, or not for this use: one text for both. */
export function noCredential(name: string, cluster: string, address: string): string {
  return `there is no credential named ${name} for the cluster ${cluster} at ${address}`;
}

/** `real` has no links any more: what was allowed is what is opened. */
async function fromFile(real: string, path: string, logger: HostLogger | undefined): Promise<Credential> {
  const unreadable = (error: unknown) => {
    throw unusable(`the key file ${path} cannot be read`, error);
  };
  // Non-blocking: opening a pipe in place of a file would wait for its writer; its type is checked afterwards.
  const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(unreadable);
  try {
    const info = await file.stat();
    if (!info.isFile()) throw unusable(`${path} is not a regular file`);
    if (info.size > KEY_FILE_BYTES) throw unusable(`${path} is too large for a private key (${info.size} bytes)`);
    if ((info.mode & 0o077) !== 0) {
      logger?.warn(
        { path, mode: (info.mode & 0o777).toString(8) },
        'other users of this machine can read the private key file',
      );
    }
    return { kind: 'key', privateKey: await file.readFile('utf8').catch(unreadable) };
  } finally {
    await file.close();
  }
}

async function fromAgent(socket: string): Promise<Credential> {
  const info = await stat(socket).catch((error: unknown) => {
    throw unusable(`the ssh-agent socket ${socket} cannot be used`, error);
  });
  if (!info.isSocket()) throw unusable(`${socket} is not a socket`);
  return { kind: 'agent', socket };
}

/**
 * The credential with its key in a form that the SSH client reads, when that can be done with its passphrase. `label` is
 * for messages. Throws SSH_CREDENTIAL_UNUSABLE.
 */
export function checkedCredential<C extends Credential | ProxyLogin | RegistryLogin>(credential: C, label: string): C {
  if (credential.kind !== 'key') return credential;
  try {
    return { ...credential, privateKey: readPrivateKey(credential.privateKey, credential.passphrase) };
  } catch (error) {
    if (!(error instanceof KeyUnusable)) throw error;
    throw unusable(`the private key ${label} cannot be used: ${error.message}`);
  }
}

function unusable(message: string, cause?: unknown): KubewrightError {
  const evidence = cause instanceof Error ? cause.message : undefined;
  return new KubewrightError('SSH_CREDENTIAL_UNUSABLE', message, { cause, evidence });
}
