import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openStoreReadOnly, type Store } from '../store/index.ts';
import type { Keyring } from '../store/keyring.ts';

/** The audit reads no secret: it works without the key. */
const NO_KEYS: Keyring = { currentId: '', key: () => undefined, ids: [], file: null };

/**
 * The store of a data directory, or behind a PostgreSQL address, for reading: nothing is written to it. `keyring`: only
 * for comparing with Temporal, whose payloads are sealed. Throws when there is none, or it is of another version.
 */
export function openAudited(dataDir: string, url: string | undefined, keyring: Keyring = NO_KEYS): Promise<Store> {
  if (url === undefined && !existsSync(join(dataDir, 'kubewright.db'))) {
    throw new Error(`there is no kubewright.db in ${dataDir}; name the folder with --data`);
  }
  return openStoreReadOnly({ url, dataDir, keyring });
}
