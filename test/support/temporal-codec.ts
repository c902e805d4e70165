import { dataConverter } from '../../codec/data-converter.ts';
import type { PayloadKeys } from '../../store/payload-keys.ts';

/** One fixed key, so that recorded histories open in every run. */
const key = { id: '000001', key: Buffer.alloc(32, 7) };

export const TEST_KEYS: PayloadKeys = {
  current: () => Promise.resolve(key),
  byId: (id) => Promise.resolve(id === key.id ? key : null),
  add: () => Promise.reject(new Error('the key of the tests is fixed')),
};

/** How workflow tests talk to Temporal: sealed, as the product does. */
export const TEST_CONVERTER = dataConverter(TEST_KEYS);
