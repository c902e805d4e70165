/** One field of a message: its number, then an integer that is not negative, a text, or bytes (a message, say). */
export type Field = readonly [number: number, value: number | string | Uint8Array];

const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;

/** The wire format of Protocol Buffers, as much as etcd's requests need of it. */
export function encodeMessage(fields: readonly Field[]): Uint8Array {
  return Buffer.concat(
    fields.map(([number, value]) => {
      if (typeof value === 'number') return Buffer.from([...varint((number << 3) | VARINT), ...varint(value)]);
      const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
      return Buffer.concat([Buffer.from([...varint((number << 3) | BYTES), ...varint(bytes.length)]), bytes]);
    }),
  );
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}

/** The fields of a message, each with its values in their order. Throws a RangeError where the bytes are no message. */
export class Message {
  readonly #fields = new Map<number, (bigint | Uint8Array)[]>();

  constructor(bytes: Uint8Array) {
    let at = 0;
    const take = (length: number): Uint8Array => {
      if (at + length > bytes.length) throw new RangeError('the message ends early');
      at += length;
      return bytes.subarray(at - length, at);
    };
    const integer = (): bigint => {
      for (let [value, shift] = [0n, 0n]; ; shift += 7n) {
        const [byte = 0] = take(1);
        value |= BigInt(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
        if (shift > 63n) throw new RangeError('an integer has more than 64 bits');
      }
    };
    while (at < bytes.length) {
      const tag = Number(integer());
      const number = tag >>> 3;
      const kind = tag & 7;
      if (![VARINT, FIXED_64, BYTES, FIXED_32].includes(kind))
        throw new RangeError(`a field has the wire type ${kind}`);
      const value = kind === VARINT ? integer() : take(kind === BYTES ? Number(integer()) : kind === FIXED_64 ? 8 : 4);
      this.#fields.set(number, [...(this.#fields.get(number) ?? []), value]);
    }
  }

  /** The last integer of a field; 0 where there is none. */
  integer(number: number): bigint {
    const value = this.#fields.get(number)?.at(-1);
    return typeof value === 'bigint' ? value : 0n;
  }

  /** All values of a field that are bytes. */
  bytes(number: number): Uint8Array[] {
    return (this.#fields.get(number) ?? []).filter((value) => value instanceof Uint8Array);
  }

  messages(number: number): Message[] {
    return this.bytes(number).map((each) => new Message(each));
  }

  texts(number: number): string[] {
    return this.bytes(number).map((each) => Buffer.from(each).toString('utf8'));
  }
}
