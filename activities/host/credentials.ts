import { readFile, stat } from 'node:fs/promises';
import ssh2 from 'ssh2';
import { KubewrightError } from '../../contracts/errors.ts';
import type { CredentialRef } from '../../contracts/host.ts';

/** A secret that opens a host. */
export type Credential =
  | { kind: 'key'; privateKey: string; passphrase?: string | undefined }
  /** Also given to sudo, on its standard input. */
  | { kind: 'password'; password: string }
  | { kind: 'agent'; socket: string };

/** Turns a reference into the secret. Throws SSH_CREDENTIAL_UNUSABLE. */
export interface CredentialResolver {
  resolve(ref: CredentialRef): Promise<Credential>;
}

/** Where warnings go. pino fits. */
export interface HostLogger {
  debug(details: object, message: string): void;
  warn(details: object, message: string): void;
}

/** A private key file is at most a few KiB; anything larger is something else. */
const KEY_FILE_BYTES = 64 * 1024;

/**
 * Resolves key files and agent sockets of the worker machine; named credentials through `named` (the store), which
 * returns null when there is none by that name. Keys are parsed here, so that a bad one is told apart from a refused one.
 */
export function createCredentialResolver(deps: {
  named?: ((name: string) => Promise<Credential | null>) | undefined;
  logger?: HostLogger | undefined;
}): CredentialResolver {
  return {
    async resolve(ref) {
      if ('keyFile' in ref) return checkedCredential(await fromFile(ref.keyFile, deps.logger), ref.keyFile);
      if ('agent' in ref) return fromAgent(ref.agent);
      const found = await deps.named?.(ref.name);
      if (!found) throw unusable(`there is no credential named ${ref.name}`);
      if (found.kind === 'agent') return fromAgent(found.socket);
      return checkedCredential(found, ref.name);
    },
  };
}

async function fromFile(path: string, logger: HostLogger | undefined): Promise<Credential> {
  const info = await stat(path).catch((error: unknown) => {
    throw unusable(`the key file ${path} cannot be read`, error);
  });
  if (!info.isFile()) throw unusable(`${path} is not a regular file`);
  if (info.size > KEY_FILE_BYTES) throw unusable(`${path} is too large for a private key (${info.size} bytes)`);
  if ((info.mode & 0o077) !== 0) {
    logger?.warn({ path, mode: (info.mode & 0o777).toString(8) }, 'private key file is readable by others');
  }
  const privateKey = await readFile(path, 'utf8').catch((error: unknown) => {
    throw unusable(`the key file ${path} cannot be read`, error);
  });
  return { kind: 'key', privateKey };
}

async function fromAgent(socket: string): Promise<Credential> {
  const info = await stat(socket).catch((error: unknown) => {
    throw unusable(`the ssh-agent socket ${socket} cannot be used`, error);
  });
  if (!info.isSocket()) throw unusable(`${socket} is not a socket`);
  return { kind: 'agent', socket };
}

/** The credential, when its key can be read with its passphrase. `label` is for messages. Throws SSH_CREDENTIAL_UNUSABLE. */
export function checkedCredential(credential: Credential, label: string): Credential {
  if (credential.kind !== 'key') return credential;
  const parsed = ssh2.utils.parseKey(credential.privateKey, credential.passphrase);
  if (parsed instanceof Error) {
    // The parser's message says what is wrong (format, passphrase); it never quotes key material.
    throw unusable(`the private key ${label} cannot be used: ${parsed.message}`);
  }
  const keys = Array.isArray(parsed) ? parsed : [parsed];
  if (!keys.some((key) => key.isPrivateKey())) throw unusable(`${label} holds a public key, not a private one`);
  return credential;
}

function unusable(message: string, cause?: unknown): KubewrightError {
  const evidence = cause instanceof Error ? cause.message : undefined;
  return new KubewrightError('SSH_CREDENTIAL_UNUSABLE', message, { cause, evidence });
}
