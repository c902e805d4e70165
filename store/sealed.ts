import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { KubewrightError } from '../contracts/errors.ts';
import type { Keyring } from './keyring.ts';

/** A value at rest: AES-256-GCM, the tag behind the ciphertext. */
export interface Sealed {
  keyId: string;
  nonce: Uint8Array;
  sealed: Uint8Array;
}

const CIPHER = 'aes-256-gcm';
/** NIST SP 800-38D: 96 bits is the size that GCM is made for. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypt under the current key. `context` is authenticated: a value moved to another row does not open. */
export function seal(keyring: Keyring, context: string, value: string): Sealed {
  const key = keyOf(keyring, keyring.currentId, context);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce);
  cipher.setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { keyId: keyring.currentId, nonce, sealed };
}

/** Decrypt. Throws SECRET_UNREADABLE when the key is not at hand or the value was altered. */
export function unseal(keyring: Keyring, context: string, { keyId, nonce, sealed }: Sealed): string {
  const decipher = createDecipheriv(CIPHER, keyOf(keyring, keyId, context), nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]).toString('utf8');
  } catch (cause) {
    throw new KubewrightError('SECRET_UNREADABLE', `the stored secret ${context} was altered`, {
      cause,
      evidence: `key id ${keyId}`,
    });
  }
}

function keyOf(keyring: Keyring, id: string, context: string): Uint8Array {
  const key = keyring.key(id);
  if (key) return key;
  throw new KubewrightError('SECRET_UNREADABLE', `the key of the stored secret ${context} is not at hand`, {
    evidence: `key id ${id}; current key id ${keyring.currentId}`,
  });
}
