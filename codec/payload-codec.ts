import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';
import { KubewrightError } from '../contracts/errors.ts';
import type { PayloadKeys } from '../store/payload-keys.ts';
import { NONCE_BYTES, sealBytes, TAG_BYTES, unsealBytes } from '../store/sealed.ts';

/** What a sealed payload says of itself in clear; the names are those of Temporal's own samples. */
const ENCODING = 'encoding';
const KEY_ID = 'encryption-key-id';
export const SEALED_ENCODING = 'binary/encrypted';
/** Authenticated with every payload: one that was sealed for something else does not open. */
const CONTEXT = 'kubewright/temporal-payload/1';

/** Smaller payloads hardly shrink. */
const COMPRESS_FROM_BYTES = 256;
/** First byte of what is sealed: how the rest is to be read. */
const PLAIN = 0;
const DEFLATED = 1;
/** What a payload may grow to when it is read; the server takes none above 2 MiB, and JSON shrinks to about a tenth. */
const INFLATED_BYTES = 64 * 1024 * 1024;

const { Payload: Wire } = proto.temporal.api.common.v1;
const decoder = new TextDecoder();

/**
 * Seals every payload that goes to Temporal: deflated when that helps, then AES-256-GCM. Payloads that are not sealed pass
 * through when read, so that what an older version left is still understood. Throws SECRET_UNREADABLE.
 */
export function payloadCodec(keys: PayloadKeys): PayloadCodec {
  return {
    async encode(payloads) {
      const { id, key } = await keys.current();
      return payloads.map((payload) => {
        const { nonce, sealed } = sealBytes(key, CONTEXT, packed(Wire.encode(payload).finish()));
        return {
          metadata: { [ENCODING]: Buffer.from(SEALED_ENCODING), [KEY_ID]: Buffer.from(id) },
          data: Buffer.concat([nonce, sealed]),
        };
      });
    },
    decode: (payloads) => Promise.all(payloads.map((payload) => opened(keys, payload))),
  };
}

async function opened(keys: PayloadKeys, payload: Payload): Promise<Payload> {
  if (text(payload.metadata?.[ENCODING]) !== SEALED_ENCODING) return payload;
  const id = text(payload.metadata?.[KEY_ID]);
  const data = payload.data ?? new Uint8Array();
  const found = await keys.byId(id);
  if (!found) throw unreadable(id, 'its key is not among ours');
  if (data.length <= NONCE_BYTES + TAG_BYTES) throw unreadable(id, 'it is too short');
  try {
    const box = { nonce: data.subarray(0, NONCE_BYTES), sealed: data.subarray(NONCE_BYTES) };
    return Wire.decode(unpacked(unsealBytes(found.key, CONTEXT, box)));
  } catch (cause) {
    throw unreadable(id, 'it was altered', cause);
  }
}

function packed(bytes: Uint8Array): Buffer {
  if (bytes.length >= COMPRESS_FROM_BYTES) {
    const deflated = deflateRawSync(bytes);
    if (deflated.length < bytes.length) return Buffer.concat([Buffer.of(DEFLATED), deflated]);
  }
  return Buffer.concat([Buffer.of(PLAIN), bytes]);
}

function unpacked(bytes: Buffer): Uint8Array {
  const [how, rest] = [bytes[0], bytes.subarray(1)];
  return how === DEFLATED ? inflateRawSync(rest, { maxOutputLength: INFLATED_BYTES }) : rest;
}

const text = (bytes: Uint8Array | null | undefined): string => decoder.decode(bytes ?? new Uint8Array());

function unreadable(id: string, why: string, cause?: unknown): KubewrightError {
  const message = `a payload of Temporal's history cannot be opened: ${why}`;
  return new KubewrightError('SECRET_UNREADABLE', message, { cause, evidence: `key id ${id.slice(0, 64)}` });
}
