import { type CredentialScope, type CredentialValue, credentialValue } from '../contracts/credential.ts';
import type { SecretStore } from './secrets.ts';

/** Logins that specs name as `credential: {name}`. */
export interface CredentialStore {
  put(name: string, value: CredentialValue): Promise<void>;
  get(name: string): Promise<CredentialValue | null>;
  /** What kind these are, and where they may be used; null for a name that there is not. One read per name. */
  scopes(names: readonly string[]): Promise<Map<string, (CredentialScope & Pick<CredentialValue, 'kind'>) | null>>;
  /** One page by name, never the values; `scopedOnly` leaves out those that are for no cluster in particular. */
  list(page: {
    limit: number;
    cursor?: string | undefined;
    scopedOnly?: boolean;
  }): Promise<{ items: ListedCredential[]; next: string | null }>;
  delete(name: string): Promise<boolean>;
}

/** A credential without its secret. */
export interface ListedCredential extends CredentialScope {
  name: string;
  kind: CredentialValue['kind'];
  createdAt: string;
  updatedAt: string;
}

const SCOPE = 'credential';

export function credentialStore(secrets: SecretStore): CredentialStore {
  const get = async (name: string): Promise<CredentialValue | null> => {
    const text = await secrets.get(SCOPE, name);
    return text === null ? null : credentialValue.parse(JSON.parse(text));
  };
  return {
    put: (name, value) => secrets.put(SCOPE, name, JSON.stringify(value)),
    get,
    async scopes(names) {
      const found = await Promise.all([...new Set(names)].map(async (name) => [name, await get(name)] as const));
      return new Map(found.map(([name, value]) => [name, value && { kind: value.kind, ...scopeOf(value) }]));
    },
    async list({ limit, cursor, scopedOnly = false }) {
      const items: ListedCredential[] = [];
      for (const each of await secrets.list(SCOPE)) {
        if (cursor !== undefined && each.name <= cursor) continue;
        const value = await get(each.name);
        if (!value || (scopedOnly && !value.clusters)) continue;
        if (items.length === limit) return { items, next: items.at(-1)!.name };
        items.push({ ...each, kind: value.kind, ...scopeOf(value) });
      }
      return { items, next: null };
    },
    delete: (name) => secrets.delete(SCOPE, name),
  };
}

const scopeOf = ({ clusters, addresses }: CredentialValue): CredentialScope => ({
  ...(clusters === undefined ? {} : { clusters }),
  ...(addresses === undefined ? {} : { addresses }),
});
