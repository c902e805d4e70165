import { type CredentialValue, credentialValue } from '../contracts/credential.ts';
import type { SecretStore } from './secrets.ts';

/** Logins that specs name as `credential: {name}`. */
export interface CredentialStore {
  put(name: string, value: CredentialValue): Promise<void>;
  get(name: string): Promise<CredentialValue | null>;
  /** Never the values. */
  list(): Promise<{ name: string; createdAt: string; updatedAt: string }[]>;
  delete(name: string): Promise<boolean>;
}

const SCOPE = 'credential';

export function credentialStore(secrets: SecretStore): CredentialStore {
  return {
    put: (name, value) => secrets.put(SCOPE, name, JSON.stringify(value)),
    async get(name) {
      const text = await secrets.get(SCOPE, name);
      return text === null ? null : credentialValue.parse(JSON.parse(text));
    },
    list: () => secrets.list(SCOPE),
    delete: (name) => secrets.delete(SCOPE, name),
  };
}
