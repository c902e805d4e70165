import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
  verify,
} from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Signs bundles, anchors and pruning marks. Ed25519: one signature for one text, 64 bytes. */
export interface Signer {
  /** PEM (SubjectPublicKeyInfo). */
  publicKey: string;
  /** The same in DER, as base64: on one line. */
  publicDer: string;
  /** Of the public key: SHA256:..., as `ssh-keygen` shows fingerprints, over its DER form. */
  fingerprint: string;
  sign(bytes: Uint8Array): Buffer;
}

/** The file beside `secret.key`. */
export const SIGNING_KEY_FILE = 'audit.key';

/** The file of the key that signs an API's commands to workflows (codec/payload-codec.ts). */
export const COMMAND_KEY_FILE = 'command.key';

/**
 * A signing key of this installation: `given` (PEM, such as KUBEWRIGHT_AUDIT_KEY), else the file of the data directory
 * (default `audit.key`), which the first start makes with mode 0600. The folder must exist.
 */
export function openSigner(dataDir: string, given?: string, name = SIGNING_KEY_FILE): Signer {
  if (given !== undefined && given !== '') return signerOf(given.replaceAll('\\n', '\n'));
  const file = join(dataDir, name);
  const known = read(file);
  if (known !== undefined) return signerOf(known);
  // Written aside and linked: two first starts at once agree on one key, and a crash leaves no half-written one.
  const { privateKey } = generateKeyPairSync('ed25519');
  const fresh = `${file}.${randomUUID()}`;
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(fresh, pem, { mode: 0o600, flag: 'wx', flush: true });
  try {
    linkSync(fresh, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
  return signerOf(readFileSync(file, 'utf8'));
}

/** Throws when the text is no Ed25519 private key. */
export function signerOf(pem: string): Signer {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType !== 'ed25519')
    throw new Error('a signing key (KUBEWRIGHT_AUDIT_KEY, KUBEWRIGHT_COMMAND_KEY) must be an Ed25519 key');
  const publicKey = createPublicKey(key);
  return {
    publicKey: pemOf(publicKey),
    publicDer: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    fingerprint: fingerprintOf(publicKey),
    sign: (bytes) => sign(null, bytes, key),
  };
}

/** A public key that was read. */
export interface Verifying {
  fingerprint: string;
  verify(bytes: Uint8Array, signature: Uint8Array): boolean;
}

/** A public key in PEM, checked. Throws when it is no Ed25519 key in just this form. */
export const readPublicKey = (pem: string): Verifying => verifying(createPublicKey(pem));

/** The same of the DER form in base64 (Signer.publicDer). */
export const publicKeyOf = (der: string): Verifying =>
  verifying(createPublicKey({ key: Buffer.from(der, 'base64'), format: 'der', type: 'spki' }));

/** The fingerprint of the key in a data directory; undefined when there is no such file. Makes nothing. */
export function knownFingerprint(dataDir: string, given?: string): string | undefined {
  if (given !== undefined && given !== '') return signerOf(given.replaceAll('\\n', '\n')).fingerprint;
  const known = read(join(dataDir, SIGNING_KEY_FILE));
  return known === undefined ? undefined : signerOf(known).fingerprint;
}

function verifying(key: KeyObject): Verifying {
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('it is not an Ed25519 key');
  return {
    fingerprint: fingerprintOf(key),
    verify: (bytes, signature) => verify(null, bytes, key, signature),
  };
}

const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

const fingerprintOf = (key: KeyObject): string =>
  `SHA256:${createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64')
    .replace(/=+$/, '')}`;

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
