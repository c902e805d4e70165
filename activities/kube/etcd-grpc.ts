/**
 * Calls of etcd's API from a host that has no etcdctl yet: curl sends them over HTTP/2. etcd's JSON gateway would be simpler,
 * but with authentication on it refuses every client that is known by its certificate.
 */

/** A key with its value, as etcd returned it. */
export interface EtcdKey {
  readonly key: string;
  readonly value: string;
}

/**
 * What a call brought: the keys that were read; or what etcd refused it for (`status`: of gRPC); or the first line of an answer
 * that is not of etcd's API; or why there is none (`exit`: of curl).
 */
export type EtcdAnswer =
  | { readonly keys: readonly EtcdKey[] }
  | { readonly status: number; readonly message: string }
  | { readonly strange: string }
  | { readonly exit: number; readonly message: string };

/** Path of the call whose message `readIfWritable` makes. */
export const ETCD_TXN = '/etcdserverpb.KV/Txn';

/** gRPC's status for a user who may not do this. */
export const PERMISSION_DENIED = 7;

/**
 * Words of curl for one call (`curl_as CREDENTIAL WORDS... URL`): the message comes on standard input; head, body and trailers of
 * the answer and how curl ended go to standard output, for `readTxnAnswer`. curl has `errormsg` since 7.75.
 */
export const GRPC_WORDS = `-s -m 8 -D - -o - -H 'Content-Type: application/grpc' -H 'TE: trailers' -w '\\ncurl-exit: %{exitcode} %{errormsg}\\n' --data-binary @-`;

/**
 * The message of a transaction that reads all keys with a prefix and changes nothing, and that etcd refuses to who may not
 * write `writes` as well: it asks for the permissions of both branches, and the one that writes is never taken. As octal
 * escapes, which printf of every sh takes.
 */
export function readIfWritable({ prefix, writes }: { prefix: string; writes: string }): string {
  // Compare: LESS (2), VERSION (0), of a key whose version is never below 0.
  const never = message([varint(1, 2), varint(2, 0), text(3, writes), varint(4, 0)]);
  const put = message([bytes(2, message([text(1, writes)]))]);
  const range = message([bytes(1, message([text(1, prefix), text(2, endOf(prefix))]))]);
  const body = message([bytes(1, never), bytes(2, put), bytes(3, range)]);
  const length = Buffer.alloc(5);
  length.writeUInt32BE(body.length, 1);
  return [...Buffer.concat([length, body])].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}

/** Reads what curl printed for `readIfWritable`, as hexadecimal digits. Never throws: a stranger may have answered. */
export function readTxnAnswer(hex: string): EtcdAnswer {
  const all = Buffer.from(hex, 'hex');
  const end = /\ncurl-exit: (\d+) ?([^\n]*)\n$/.exec(all.subarray(-1000).toString('latin1'));
  if (!end) return { strange: 'curl was ended' };
  if (end[1] !== '0') return { exit: Number(end[1]), message: end[2]!.slice(0, 300) };
  const answer = all.subarray(0, all.length - end[0].length);
  const headEnd = answer.indexOf('\r\n\r\n');
  const head = answer.subarray(0, Math.max(headEnd, 0)).toString('latin1');
  const rest = answer.subarray(headEnd < 0 ? 0 : headEnd + 4);
  const framed = rest.length >= 5 && rest[0] === 0;
  const size = framed ? rest.readUInt32BE(1) : 0;
  const trailers = `${head}\r\n${rest.subarray(framed ? 5 + size : 0).toString('latin1')}`;
  const status = /^grpc-status: *(\d+)/im.exec(trailers)?.[1];
  const strange = { strange: (head || rest.toString('latin1')).split('\r\n', 1)[0]!.slice(0, 200) };
  if (status === undefined) return strange;
  if (status !== '0') {
    const said = /^grpc-message: *(.*?)\r?$/im.exec(trailers)?.[1] ?? '';
    return { status: Number(status), message: percentDecoded(said).slice(0, 300) };
  }
  try {
    const ranges = nested(fields(rest.subarray(5, 5 + size)), 3).flatMap((operation) => nested(operation, 1));
    const keys = ranges.flatMap((range) => nested(range, 2));
    return { keys: keys.map((each) => ({ key: textOf(each, 1), value: textOf(each, 5) })) };
  } catch {
    return strange;
  }
}

/** The first key after all that begin so: etcd's ranges end before it. */
function endOf(prefix: string): string {
  const last = prefix.length - 1;
  return prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1);
}

// Protocol buffers: each field is its number and wire type (0: varint, 2: length and bytes), then its value.

const message = (parts: readonly Buffer[]): Buffer => Buffer.concat(parts);
const varint = (field: number, value: number): Buffer => Buffer.concat([number(field << 3), number(value)]);
const text = (field: number, value: string): Buffer => bytes(field, Buffer.from(value));
const bytes = (field: number, value: Buffer): Buffer =>
  Buffer.concat([number((field << 3) | 2), number(value.length), value]);

function number(value: number): Buffer {
  const groups: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...groups, rest]);
    groups.push((rest & 0x7f) | 0x80);
  }
}

/** Fields with bytes, by number. Throws RangeError for what is no message. */
function fields(from: Buffer): Map<number, Buffer[]> {
  const found = new Map<number, Buffer[]>();
  let at = 0;
  const read = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = from.readUInt8(at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < from.length) {
    const tag = read();
    const type = tag % 8;
    if (type === 0) read();
    else if (type === 2) {
      const length = read();
      if (at + length > from.length) throw new RangeError('a field ends after its message');
      const own = found.get(Math.floor(tag / 8)) ?? [];
      found.set(Math.floor(tag / 8), own);
      own.push(from.subarray(at, at + length));
      at += length;
    } else throw new RangeError(`wire type ${type}`);
  }
  return found;
}

const nested = (of: Map<number, Buffer[]>, field: number): Map<number, Buffer[]>[] => (of.get(field) ?? []).map(fields);
const textOf = (of: Map<number, Buffer[]>, field: number): string => of.get(field)?.[0]?.toString('utf8') ?? '';

function percentDecoded(said: string): string {
  try {
    return decodeURIComponent(said);
  } catch {
    return said;
  }
}

/**
 * sh function. `etcd_by_id PATH ID CURL...`: a gRPC call whose message is one 64-bit number in field 1, decimal as etcd's JSON has it;
 * prints headers and trailers: `grpc-status: 0` when etcd did it. sh has no unsigned numbers of 64 bits: the halves are encoded.
 */
export const ETCD_BY_ID = `
etcd_id_bytes() {
  id_hex=$(printf '%016x' "$1")
  id_high=$((0x\${id_hex%????????})) id_low=$((0x\${id_hex#????????}))
  for id_byte in "$id_low" $((id_low >> 7)) $((id_low >> 14)) $((id_low >> 21)) $(((id_low >> 28) & 15 | (id_high & 7) << 4)) \\
    $((id_high >> 3)) $((id_high >> 10)) $((id_high >> 17)) $((id_high >> 24)); do
    printf '\\\\%03o' $((id_byte & 127 | 128))
  done
  printf '\\\\%03o' $((id_high >> 31 & 1))
}
etcd_by_id() {
  id_path=$1 id_bytes=$(etcd_id_bytes "$2")
  shift 2
  printf "\\000\\000\\000\\000\\013\\010$id_bytes" |
    "$@" --http2 -H 'Content-Type: application/grpc' -H 'TE: trailers' -D - -o /dev/null --data-binary @- "$via$id_path"
}
`;
