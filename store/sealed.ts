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
export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;

/** Encrypt under the current key. `context` is authenticated: a value moved to another row does not open. */
export function seal(keyring: Keyring, context: string, value: string): Sealed {
  const key = keyOf(keyring, keyring.currentId, context);
  return { keyId: keyring.currentId, ...sealBytes(key, context, Buffer.from(value)) };
}

/** Decrypt. Throws SECRET_UNREADABLE when the key is not at hand or the value was altered. */
export function unseal(keyring: Keyring, context: string, { keyId, ...box }: Sealed): string {
  const key = keyOf(keyring, keyId, context);
  try {
    return unsealBytes(key, context, box).toString('utf8');
  } catch (cause) {
    throw new KubewrightError('SECRET_UNREADABLE', `the stored secret ${context} was altered`, {
      cause,
      evidence: `key id ${keyId}`,
    });
  }
}

/** Encrypt bytes under a key of 32 bytes, with a fresh nonce. */
export function sealBytes(key: Uint8Array, context: string, bytes: Uint8Array): Omit<Sealed, 'keyId'> {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce);
  cipher.setAAD(Buffer.from(context));
  return { nonce, sealed: Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]) };
}

/** The bytes again. Throws an Error without words of ours when key, context, nonce or bytes are not those of the sealing. */
export function unsealBytes(key: Uint8Array, context: string, { nonce, sealed }: Omit<Sealed, 'keyId'>): Buffer {
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
}

function keyOf(keyring: Keyring, id: string, context: string): Uint8Array {
  const key = keyring.key(id);
  if (key) return key;
  throw new KubewrightError('SECRET_UNREADABLE', `the key of the stored secret ${context} is missing`, {
    evidence: `key id ${id}; current key id ${keyring.currentId}`,
  });
}
