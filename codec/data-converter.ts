import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import type { PayloadKeys } from '../store/payload-keys.ts';
import { payloadCodec } from './payload-codec.ts';

/** The module that turns errors into failures; the workflow bundle holds the same one. */
export const FAILURE_CONVERTER_PATH = fileURLToPath(new URL('./failure-converter.ts', import.meta.url));

/** How everything of ours goes to Temporal and comes back. The same for every client and every worker. */
export function dataConverter(keys: PayloadKeys): DataConverter {
  return { payloadCodecs: [payloadCodec(keys)], failureConverterPath: FAILURE_CONVERTER_PATH };
}
