import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import type { CommandKeys } from '../store/command-keys.ts';
import type { PayloadKeys } from '../store/payload-keys.ts';
import { apiCodec, type CommandSigner, payloadCodec, workerCodec } from './payload-codec.ts';

/** The modules that turn errors into failures and values into payloads; the workflow bundle holds the same ones. */
export const FAILURE_CONVERTER_PATH = fileURLToPath(new URL('./failure-converter.ts', import.meta.url));
export const PAYLOAD_CONVERTER_PATH = fileURLToPath(new URL('./payload-converter.ts', import.meta.url));

/** How histories are read by people and exports: everything of ours opens, nothing is acted on. */
export function readingConverter(keys: PayloadKeys): DataConverter {
  return { payloadCodecs: [payloadCodec(keys)], failureConverterPath: FAILURE_CONVERTER_PATH };
}

/** How an API talks to our workflows: sealed for each of them, and signed. */
export function apiConverter(keys: PayloadKeys, signer: CommandSigner): DataConverter {
  return { payloadCodecs: [apiCodec(keys, signer)], failureConverterPath: FAILURE_CONVERTER_PATH };
}

/** How a worker reads what reaches its workflows and activities: each value with the proof of where it comes from. */
export function workerConverter(keys: PayloadKeys, commandKeys: Pick<CommandKeys, 'byFingerprint'>): DataConverter {
  return {
    payloadCodecs: [workerCodec(keys, commandKeys)],
    payloadConverterPath: PAYLOAD_CONVERTER_PATH,
    failureConverterPath: FAILURE_CONVERTER_PATH,
  };
}
