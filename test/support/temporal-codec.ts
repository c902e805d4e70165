import { signerOf } from '../../audit/signing-key.ts';
import { apiConverter, workerConverter } from '../../codec/data-converter.ts';
import type { CommandKeys } from '../../store/command-keys.ts';
import type { PayloadKeys } from '../../store/payload-keys.ts';

/** One fixed key, so that recorded histories open in every run. */
const key = { id: '000001', key: Buffer.alloc(32, 7) };

export const TEST_KEYS: PayloadKeys = {
  current: () => Promise.resolve(key),
  byId: (id) => Promise.resolve(id === key.id ? key : null),
  add: () => Promise.reject(new Error('the key of the tests is fixed')),
};

/** The key of the API that the tests are, the same in every process: PKCS#8 of an Ed25519 seed (RFC 8410). */
const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 9)]);
export const TEST_SIGNER = signerOf(
  `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString('base64')}\n-----END PRIVATE KEY-----\n`,
);

export const TEST_COMMAND_KEYS: Pick<CommandKeys, 'byFingerprint'> = {
  byFingerprint: async (fingerprint) => (fingerprint === TEST_SIGNER.fingerprint ? TEST_SIGNER.publicKey : null),
};

/** How workflow tests talk to Temporal: sealed and signed, as the API does. */
export const TEST_CONVERTER = apiConverter(TEST_KEYS, TEST_SIGNER);

/** How their workers do. */
export const TEST_WORKER_CONVERTER = workerConverter(TEST_KEYS, TEST_COMMAND_KEYS);
