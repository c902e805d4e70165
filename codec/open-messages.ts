import type { Payload, PayloadCodec } from '@temporalio/common';

/** A failure whose message and stack are in a payload (failure-converter.ts). */
interface EncodedFailure {
  message?: string | null;
  stackTrace?: string | null;
  encodedAttributes?: Payload | null;
}

/**
 * The same protobuf message with every payload in it opened, however deep, and the words of failures back in their
 * places: for histories read over raw RPC, which the SDK does not decode. The message itself is not changed.
 */
export async function openMessage<T>(message: T, codec: Pick<PayloadCodec, 'decode'>): Promise<T> {
  return (await opened(message, codec)) as T;
}

async function opened(value: unknown, codec: Pick<PayloadCodec, 'decode'>): Promise<unknown> {
  if (Array.isArray(value)) return Promise.all(value.map((each) => opened(each, codec)));
  if (!isMessage(value)) return value;
  if (isPayload(value)) return (await codec.decode([value]))[0];
  const entries = await Promise.all(
    Object.entries(value).map(async ([name, member]) => [name, await opened(member, codec)] as const),
  );
  // The prototype carries the message's type, which its JSON form goes by.
  const copy = Object.assign(
    Object.create(Object.getPrototypeOf(value) as object | null) as object,
    Object.fromEntries(entries),
  );
  if ('encodedAttributes' in copy) restoreWords(copy as EncodedFailure);
  return copy;
}

function restoreWords(failure: EncodedFailure): void {
  if (!failure.encodedAttributes?.data) return;
  const words: unknown = JSON.parse(Buffer.from(failure.encodedAttributes.data).toString('utf8'));
  if (typeof words !== 'object' || words === null) return;
  const { message, stack_trace: stack } = words as { message?: unknown; stack_trace?: unknown };
  if (typeof message === 'string') failure.message = message;
  if (typeof stack === 'string') failure.stackTrace = stack;
  failure.encodedAttributes = null;
}

const isMessage = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && !isLong(value);

/** 64-bit numbers are objects of their own kind. */
const isLong = (value: object): boolean => '__isLong__' in value;

const isPayload = (value: object): value is Payload =>
  'metadata' in value && 'data' in value && value.data instanceof Uint8Array;
