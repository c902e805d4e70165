import type { SecretStore } from './secrets.ts';

/**
 * Public keys of the APIs of this installation, by fingerprint: whose signatures workflows take commands by. Sealed by
 * the master key like secrets, so that write access to the database alone adds none.
 */
export interface CommandKeys {
  /** PEM; null when no API of ours has this key. */
  byFingerprint(fingerprint: string): Promise<string | null>;
  /** Repeating it changes nothing. */
  register(fingerprint: string, publicKey: string): Promise<void>;
}

export const COMMAND_KEY_SCOPE = 'temporal/command-key';
/** As fingerprints are written: `SHA256:` and base64. */
const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;

export function commandKeys(secrets: Pick<SecretStore, 'get' | 'createIfAbsent'>): CommandKeys {
  return {
    byFingerprint: async (fingerprint) =>
      FINGERPRINT.test(fingerprint) ? await secrets.get(COMMAND_KEY_SCOPE, fingerprint) : null,
    async register(fingerprint, publicKey) {
      await secrets.createIfAbsent(COMMAND_KEY_SCOPE, fingerprint, () => publicKey);
    },
  };
}
