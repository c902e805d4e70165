import type { Kysely } from 'kysely';
import type { Keyring } from './keyring.ts';
import type { SecretRow, Tables } from './schema.ts';
import { seal, unseal } from './sealed.ts';
import { now } from './time.ts';

/** Secrets, encrypted at rest. `scope` is such as `cluster/demo/pki`; get throws SECRET_UNREADABLE without the key. */
export interface SecretStore {
  put(scope: string, name: string, value: string): Promise<void>;
  get(scope: string, name: string): Promise<string | null>;
  /** The stored value, or the one that `make` gives; when several ask at once, all get the value of one of them. */
  createIfAbsent(scope: string, name: string, make: () => string | Promise<string>): Promise<string>;
  /** Names only, sorted. */
  list(scope: string): Promise<{ name: string; createdAt: string; updatedAt: string }[]>;
  /** True when there was one. */
  delete(scope: string, name: string): Promise<boolean>;
}

/** Authenticated with the value: it belongs to this name alone. */
export const secretContext = (scope: string, name: string): string => `${scope}/${name}`;

export function secretStore(db: Kysely<Tables>, keyring: Keyring): SecretStore {
  const row = (scope: string, name: string, value: string): SecretRow => {
    const { keyId, nonce, sealed } = seal(keyring, secretContext(scope, name), value);
    const at = now();
    return { scope, name, key_id: keyId, nonce, sealed, created_at: at, updated_at: at };
  };
  const get = async (scope: string, name: string): Promise<string | null> => {
    const found = await db
      .selectFrom('secrets')
      .select(['key_id', 'nonce', 'sealed'])
      .where('scope', '=', scope)
      .where('name', '=', name)
      .executeTakeFirst();
    if (!found) return null;
    return unseal(keyring, secretContext(scope, name), { ...found, keyId: found.key_id });
  };

  return {
    get,
    async put(scope, name, value) {
      const { created_at, ...changed } = row(scope, name, value);
      await db
        .insertInto('secrets')
        .values({ ...changed, created_at })
        .onConflict((conflict) => conflict.columns(['scope', 'name']).doUpdateSet(changed))
        .execute();
    },
    async createIfAbsent(scope, name, make) {
      const known = await get(scope, name);
      if (known !== null) return known;
      await db
        .insertInto('secrets')
        .values(row(scope, name, await make()))
        .onConflict((conflict) => conflict.columns(['scope', 'name']).doNothing())
        .execute();
      return (await get(scope, name))!;
    },
    async list(scope) {
      const rows = await db
        .selectFrom('secrets')
        .select(['name', 'created_at', 'updated_at'])
        .where('scope', '=', scope)
        .orderBy('name')
        .execute();
      return rows.map(({ name, created_at, updated_at }) => ({ name, createdAt: created_at, updatedAt: updated_at }));
    },
    async delete(scope, name) {
      const { numDeletedRows } = await db
        .deleteFrom('secrets')
        .where('scope', '=', scope)
        .where('name', '=', name)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },
  };
}
