import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { KubewrightError } from '../contracts/errors.ts';
import type { Keyring } from './keyring.ts';
import { PAYLOAD_KEY_SCOPE, type PayloadKeys } from './payload-keys.ts';
import type { Tables } from './schema.ts';
import { type Sealed, seal, unseal } from './sealed.ts';
import { secretContext } from './secrets.ts';

/** What a rotation did. */
export interface Rotation {
  /** Id of the key that seals now. */
  keyId: string;
  /** Secrets sealed anew. */
  resealed: number;
  /** `scope/name` of secrets whose key is nowhere, or that were altered: they could not be read before either. */
  unreadable: string[];
  /** Ids of keys that still open and seal nothing any more. */
  oldKeyIds: string[];
}

/** Exchange of the master key, under which every secret lies. */
export interface SecretRotation {
  /**
   * Seal every secret under the first key of the ring; when that is so already, under a fresh one. Killed half way, it
   * goes on where it was. Others may read and write meanwhile. Throws CONFLICT when a fresh key is not ours to make.
   */
  rotate(): Promise<Rotation>;
  /** The same report as `rotate`, without any change. */
  state(): Promise<Rotation>;
  /** Forget the keys that seal nothing any more. Throws CONFLICT while one still does, or they are not ours to forget. */
  dropOld(): Promise<string[]>;
}

/** Secrets read at a time. */
const BATCH = 100;

export function secretRotation(db: Kysely<Tables>, keyring: Keyring, payloadKeys: PayloadKeys): SecretRotation {
  const sealedByOthers = () => db.selectFrom('secrets').where('key_id', '!=', keyring.currentId);

  /** A key of the ring, not its first, that still seals something. */
  async function oldKeyInUse(): Promise<string | undefined> {
    const [, ...old] = keyring.ids;
    if (old.length === 0) return undefined;
    const found = await sealedByOthers().select('key_id').where('key_id', 'in', old).limit(1).executeTakeFirst();
    return found?.key_id;
  }

  /** Payloads of Temporal get a key of their own time too: a holder of the old master key had the old ones. */
  async function renewPayloadKey(): Promise<void> {
    const newest = await db
      .selectFrom('secrets')
      .select('key_id')
      .where('scope', '=', PAYLOAD_KEY_SCOPE)
      .orderBy('name', 'desc')
      .executeTakeFirst();
    if (newest && newest.key_id !== keyring.currentId) await payloadKeys.add();
  }

  /** Only what is still as it was read: who wrote meanwhile wrote under the new key. */
  async function reseal(scope: string, name: string, old: Sealed): Promise<void> {
    const context = secretContext(scope, name);
    const { keyId, nonce, sealed } = seal(keyring, context, unseal(keyring, context, old));
    await db
      .updateTable('secrets')
      .set({ key_id: keyId, nonce, sealed })
      .where('scope', '=', scope)
      .where('name', '=', name)
      .where('key_id', '=', old.keyId)
      .where('nonce', '=', old.nonce)
      .execute();
  }

  const stateOf = (): Rotation => {
    const [keyId = '', ...oldKeyIds] = keyring.ids;
    return { keyId, oldKeyIds, resealed: 0, unreadable: [] };
  };

  return {
    async rotate() {
      if ((await oldKeyInUse()) === undefined) {
        if (!keyring.file) {
          throw new KubewrightError(
            'CONFLICT',
            'all secrets are encrypted with the first key already: put a new one in front of KUBEWRIGHT_SECRET_KEY, and restart',
          );
        }
        keyring.file.renew();
      }
      await renewPayloadKey();
      let resealed = 0;
      const unreadable: string[] = [];
      let after = { scope: '', name: '' };
      for (;;) {
        const rows = await sealedByOthers()
          .select(['scope', 'name', 'key_id', 'nonce', 'sealed'])
          .where((where) =>
            where.or([
              where('scope', '>', after.scope),
              where.and([where('scope', '=', after.scope), where('name', '>', after.name)]),
            ]),
          )
          .orderBy('scope')
          .orderBy('name')
          .limit(BATCH)
          .execute();
        for (const { scope, name, key_id: keyId, nonce, sealed } of rows) {
          try {
            await reseal(scope, name, { keyId, nonce, sealed });
            resealed += 1;
          } catch (error) {
            if (!KubewrightError.is(error) || error.code !== 'SECRET_UNREADABLE') throw error;
            unreadable.push(secretContext(scope, name));
          }
          after = { scope, name };
          // SQLite answers at once: without this no other writer would get the lock.
          await yieldToOthers();
        }
        if (rows.length < BATCH) break;
      }
      return { ...stateOf(), resealed, unreadable };
    },

    state: async () => stateOf(),

    async dropOld() {
      const [, ...old] = keyring.ids;
      if (old.length === 0) return [];
      const inUse = await oldKeyInUse();
      if (inUse !== undefined) {
        throw new KubewrightError('CONFLICT', `the key ${inUse} still encrypts secrets: rotate first`);
      }
      if (!keyring.file) throw new KubewrightError('CONFLICT', 'remove the old keys from KUBEWRIGHT_SECRET_KEY');
      keyring.file.keepCurrent();
      return old;
    },
  };
}
