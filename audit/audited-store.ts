import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openStore, type Store } from '../store/index.ts';
import type { Keyring } from '../store/keyring.ts';

/** The audit reads no secret: it works without the key. */
const NO_KEYS: Keyring = { currentId: '', key: () => undefined, ids: [], file: null };

/** The store of a data directory, or behind a PostgreSQL address, for reading. Throws when there is none. */
export function openAudited(dataDir: string, url: string | undefined): Promise<Store> {
  if (url === undefined && !existsSync(join(dataDir, 'kubewright.db'))) {
    throw new Error(`there is no kubewright.db in ${dataDir}; name the folder with --data`);
  }
  return openStore({ url, dataDir, keyring: NO_KEYS });
}
