import { createHash, createPublicKey, verify } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Payload, PayloadCodec, SerializationContext } from '@temporalio/common';
import proto from '@temporalio/proto';
import { KubewrightError } from '../contracts/errors.ts';
import { PROOF_METADATA, type Proof } from '../contracts/provenance.ts';
import type { CommandKeys } from '../store/command-keys.ts';
import type { PayloadKeys } from '../store/payload-keys.ts';
import { NONCE_BYTES, sealBytes, TAG_BYTES, unsealBytes } from '../store/sealed.ts';

/** What a sealed payload says of itself in clear; the first two names are those of Temporal's own samples. */
const ENCODING = 'encoding';
const KEY_ID = 'encryption-key-id';
/** Digest of the place that the payload was sealed for; absent in payloads of earlier versions. */
const PLACE = 'kubewright-place';
export const SEALED_ENCODING = 'binary/encrypted';

/** Authenticated with every payload: one that was sealed for something else does not open. */
const LEGACY_CONTEXT = 'kubewright/temporal-payload/1';
const contextOf = (place: string): string => `kubewright/temporal-payload/2/${place}`;

/** Inside the seal: when an API signed the payload (ms since 1970), with which key, and its signature. */
const SIGNED_AT = 'kubewright-signed-at';
const SIGNER = 'kubewright-signer';
const SIGNATURE = 'kubewright-signature';

/** Smaller payloads hardly shrink. */
const COMPRESS_FROM_BYTES = 256;
/** First byte of what is sealed: how the rest is to be read. */
const PLAIN = 0;
const DEFLATED = 1;
/** What a payload may grow to when it is read; the server takes none above 2 MiB, and JSON shrinks to about a tenth. */
const INFLATED_BYTES = 64 * 1024 * 1024;

const { Payload: Wire } = proto.temporal.api.common.v1;
const decoder = new TextDecoder();
const text = (bytes: Uint8Array | null | undefined): string => decoder.decode(bytes ?? new Uint8Array());

/** An API's private key: Ed25519. */
export interface CommandSigner {
  /** Under which workers find its public key. */
  fingerprint: string;
  sign(bytes: Uint8Array): Uint8Array;
}

/**
 * Seals payloads (deflated when that helps, then AES-256-GCM) for the place that Temporal's SDK names: a workflow, or an
 * activity of one. Elsewhere such a payload does not count. Reading takes what this installation sealed, wherever it was
 * meant for, and what is not sealed at all as it is: for people and exports, never for what acts. Throws
 * SECRET_UNREADABLE.
 */
export function payloadCodec(keys: PayloadKeys): PayloadCodec {
  return {
    encode: (payloads, context) => sealAll(keys, payloads, context),
    decode: (payloads) =>
      Promise.all(payloads.map(async (payload) => (isSealed(payload) ? (await open(keys, payload)).payload : payload))),
  };
}

/**
 * The codec of an API: what it sends is signed, and answers count only when they were sealed for the workflow that was
 * asked. Throws TEMPORAL_ANSWER_REFUSED.
 */
export function apiCodec(keys: PayloadKeys, signer: CommandSigner): PayloadCodec {
  const reading = payloadCodec(keys);
  return {
    encode: (payloads, context) => {
      const place = placeOf(context);
      return sealAll(keys, context ? payloads.map((each) => signed(each, place, signer)) : payloads, context);
    },
    async decode(payloads, context) {
      const place = placeOf(context);
      const foreign = context && payloads.some((payload) => text(payload.metadata?.[PLACE]) !== place);
      if (!foreign) return await reading.decode(payloads);
      const { type, workflowId } = context;
      throw new KubewrightError('TEMPORAL_ANSWER_REFUSED', `an answer of the ${type} ${workflowId} is not ours`);
    },
  };
}

/**
 * The codec of a worker: opens what is for this place, and notes beside each payload what it found out. It throws for
 * nothing that a stranger sent, because a workflow that cannot read its history stands still: interceptors refuse it.
 */
export function workerCodec(keys: PayloadKeys, commandKeys: Pick<CommandKeys, 'byFingerprint'>): PayloadCodec {
  return {
    encode: (payloads, context) => sealAll(keys, payloads, context),
    decode: (payloads, context) =>
      Promise.all(
        payloads.map(async (payload) => {
          const { payload: opened, proof } = await judged(keys, commandKeys, payload, placeOf(context));
          const metadata = { ...opened.metadata, [PROOF_METADATA]: Buffer.from(JSON.stringify(proof)) };
          return { ...opened, metadata };
        }),
      ),
  };
}

async function judged(
  keys: PayloadKeys,
  commandKeys: Pick<CommandKeys, 'byFingerprint'>,
  payload: Payload,
  place: string,
): Promise<{ payload: Payload; proof: Proof }> {
  if (!isSealed(payload)) return { payload, proof: { by: 'none', why: 'not sealed' } };
  let found: Opened;
  try {
    found = await open(keys, payload);
  } catch (error) {
    // A key that cannot be read now is no fault of the payload: the task is tried again.
    if (!KubewrightError.is(error) || error.code !== 'SECRET_UNREADABLE') throw error;
    return { payload: { metadata: {}, data: new Uint8Array() }, proof: { by: 'none', why: 'not to be opened' } };
  }
  const opened = found.payload;
  if (found.place === null) return { payload: opened, proof: { by: 'legacy' } };
  if (found.place !== place) return { payload: opened, proof: { by: 'none', why: 'sealed for another place' } };
  const at = await signedAt(commandKeys, found);
  return { payload: opened, proof: at === null ? { by: 'worker' } : { by: 'api', at } };
}

/**
 * A place in 22 characters, the same for every process. Without a context: none that a workflow or an activity is at. The
 * namespace is no part of it: an installation has one, and a replayed history has another.
 */
function placeOf(context: SerializationContext | undefined): string {
  if (!context) return '-';
  const { type, workflowId = null } = context;
  const rest = context.type === 'activity' ? [context.activityId ?? null, context.isLocal] : [];
  const digest = createHash('sha256').update(JSON.stringify([type, workflowId, ...rest]));
  return digest.digest('base64url').slice(0, 22);
}

/** A payload out of its seal. */
interface Opened {
  payload: Payload;
  /** Null: of an earlier version. */
  place: string | null;
  signature: { at: string; signer: string; bytes: Uint8Array } | null;
}

const isSealed = (payload: Payload): boolean => text(payload.metadata?.[ENCODING]) === SEALED_ENCODING;

async function sealAll(keys: PayloadKeys, payloads: Payload[], context?: SerializationContext): Promise<Payload[]> {
  const place = placeOf(context);
  const { id, key } = await keys.current();
  return payloads.map((payload) => {
    const { nonce, sealed } = sealBytes(key, contextOf(place), packed(Wire.encode(payload).finish()));
    return {
      metadata: {
        [ENCODING]: Buffer.from(SEALED_ENCODING),
        [KEY_ID]: Buffer.from(id),
        [PLACE]: Buffer.from(place),
      },
      data: Buffer.concat([nonce, sealed]),
    };
  });
}

async function open(keys: PayloadKeys, payload: Payload): Promise<Opened> {
  const id = text(payload.metadata?.[KEY_ID]);
  const place = payload.metadata?.[PLACE] ? text(payload.metadata[PLACE]) : null;
  const data = payload.data ?? new Uint8Array();
  const found = await keys.byId(id);
  if (!found) throw unreadable(id, 'its key is not among ours');
  if (data.length <= NONCE_BYTES + TAG_BYTES) throw unreadable(id, 'it is too short');
  let inner: Payload;
  try {
    const box = { nonce: data.subarray(0, NONCE_BYTES), sealed: data.subarray(NONCE_BYTES) };
    const context = place === null ? LEGACY_CONTEXT : contextOf(place);
    inner = Wire.decode(unpacked(unsealBytes(found.key, context, box)));
  } catch (cause) {
    throw unreadable(id, 'it was altered', cause);
  }
  // A failure that is passed on still has the note of its last reading.
  const {
    [SIGNED_AT]: at,
    [SIGNER]: signer,
    [SIGNATURE]: bytes,
    [PROOF_METADATA]: _note,
    ...metadata
  } = inner.metadata ?? {};
  const signature = at && signer && bytes ? { at: text(at), signer: text(signer), bytes } : null;
  return { payload: { metadata, data: inner.data ?? new Uint8Array() }, place, signature };
}

/** What a signature is over: the place (cluster or operation), the time, and the command as it is read. */
function signedBytes(place: string, at: string, { metadata, data }: Payload): Buffer {
  const head = JSON.stringify(['kubewright/command/1', place, at, text(metadata?.[ENCODING])]);
  return Buffer.concat([Buffer.from(`${head}\n`), data ?? new Uint8Array()]);
}

function signed(payload: Payload, place: string, signer: CommandSigner): Payload {
  const at = String(Date.now());
  const signature = signer.sign(signedBytes(place, at, payload));
  return {
    ...payload,
    metadata: {
      ...payload.metadata,
      [SIGNED_AT]: Buffer.from(at),
      [SIGNER]: Buffer.from(signer.fingerprint),
      [SIGNATURE]: signature,
    },
  };
}

/** When an API of ours signed it, ms since 1970; null when none did. */
async function signedAt(
  commandKeys: Pick<CommandKeys, 'byFingerprint'>,
  { payload, place, signature }: Opened,
): Promise<number | null> {
  if (!signature || place === null) return null;
  const pem = await commandKeys.byFingerprint(signature.signer);
  if (pem === null) return null;
  const bytes = signedBytes(place, signature.at, payload);
  return verify(null, bytes, createPublicKey(pem), signature.bytes) ? Number(signature.at) : null;
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

function unreadable(id: string, why: string, cause?: unknown): KubewrightError {
  const message = `a payload of Temporal's history cannot be opened: ${why}`;
  return new KubewrightError('SECRET_UNREADABLE', message, { cause, evidence: `key id ${id.slice(0, 64)}` });
}
