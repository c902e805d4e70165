import { createHash } from 'node:crypto';
import type { ServerHostKeyAlgorithm } from 'ssh2';

/**
 * Host keys seen on first use, per cluster: 'type base64' as in known_hosts. `host` is the host's name in the cluster, or
 * `jump:<address>:<port>` for a bastion. Implemented by the store.
 */
export interface HostKeyStore {
  get(cluster: string, host: string): Promise<string | null>;
  record(cluster: string, host: string, key: string): Promise<void>;
  /** True when a person said that the recorded key is the host's. */
  confirmed(cluster: string, host: string): Promise<boolean>;
}

/** The wire blob of a key as 'type base64'. The blob begins with its type: a 32-bit length and the name (RFC 4253). */
export function formatHostKey(blob: Buffer): string {
  return `${keyType(blob)} ${blob.toString('base64')}`;
}

/** SHA256:... as `ssh-keygen -l` prints it. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** The fingerprint of a pinned key, given as 'type base64' or as a fingerprint already. */
export function pinnedFingerprint(pinned: string): string {
  if (pinned.startsWith('SHA256:')) return pinned.replace(/=+$/, '');
  const [, base64 = ''] = pinned.trim().split(/\s+/);
  return fingerprint(Buffer.from(base64, 'base64'));
}

function keyType(blob: Buffer): string {
  if (blob.length < 4) return 'unknown';
  const length = blob.readUInt32BE(0);
  return length <= blob.length - 4 && length <= 64 ? blob.toString('latin1', 4, 4 + length) : 'unknown';
}

/** What to ask the server for, by key type. RSA keys sign with SHA-2; the SHA-1 form is not asked for. */
const ALGORITHMS: Readonly<Record<string, ServerHostKeyAlgorithm[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

/**
 * Which host key algorithms to offer, one list per connection attempt. A server has several keys and shows the one
 * negotiated: when a key of one type is pinned, another type must not be negotiated, or it looks like a mismatch. A bare
 * fingerprint does not say its type, so each is tried until one matches. Last come all: to see what a host shows that no
 * longer has a key of the known type.
 */
export function hostKeyAlgorithms(expected: string | null): ServerHostKeyAlgorithm[][] {
  const all = Object.values(ALGORITHMS);
  if (expected === null) return [all.flat()];
  if (expected.startsWith('SHA256:')) {
    return [['ssh-ed25519'], all.flat().filter((name) => name.startsWith('ecdsa')), ALGORITHMS['ssh-rsa'] ?? []];
  }
  const wanted = ALGORITHMS[expected.split(' ')[0] ?? ''];
  return wanted ? [wanted, all.flat()] : [all.flat()];
}
