import { encodeMessage, type Field, type Message } from './protobuf.ts';

// etcd's own gRPC API (api/etcdserverpb/rpc.proto of 3.6), numbers of fields from there. Not its JSON gateway: that ignores who
// the client certificate names, so where etcd has users it refuses every request.

const RANGE = { key: 1, end: 2, limit: 3, keysOnly: 8 } as const;
const TXN = { compare: 1, success: 2, failure: 3 } as const;
/** Of Compare: `result` EQUAL 0, LESS 2; `target` VERSION 0, CREATE 1; the number that is compared with is 0 when left out. */
const COMPARE = { result: 1, target: 2, key: 3, rangeEnd: 64 } as const;
const LESS = 2;
const CREATE = 1;
const OP = { range: 1, put: 2 } as const;
const PUT = { key: 1, value: 2 } as const;

/** The key by which API servers agree on compaction, outside every prefix (storage/etcd3/compact.go of k8s.io/apiserver). */
export const COMPACT_KEY = 'compact_rev_key';

/** Keys below a prefix: kube-apiserver puts a slash behind it. */
const below = (prefix: string): { key: string; end: string } => ({ key: `${prefix}/`, end: `${prefix}0` });

/** The key that says whose the prefix is. No group or resource of Kubernetes begins with a dot. */
export const markerKey = (prefix: string): string => `${prefix}/.kubewright`;

/** The paths of the calls. */
export const CALLS = {
  range: '/etcdserverpb.KV/Range',
  txn: '/etcdserverpb.KV/Txn',
  status: '/etcdserverpb.Maintenance/Status',
} as const;

/** The number of keys below the prefix, and the first of them. */
export function keysBelow(prefix: string): Uint8Array {
  const { key, end } = below(prefix);
  return encodeMessage([
    [RANGE.key, key],
    [RANGE.end, end],
    [RANGE.limit, 3],
    [RANGE.keysOnly, 1],
  ]);
}

/** One key. */
export const oneKey = (key: string): Uint8Array => encodeMessage([[RANGE.key, key]]);

/**
 * A transaction that would put these keys if one of them had a version below 0, which none has: etcd checks the permission to
 * write them, agrees on the transaction with a majority, and writes nothing.
 */
export function wouldWrite(keys: readonly string[]): Uint8Array {
  return encodeMessage([
    [
      TXN.compare,
      encodeMessage([
        [COMPARE.result, LESS],
        [COMPARE.key, keys[0]!],
      ]),
    ],
    ...keys.map((key): Field => [TXN.success, encodeMessage([[OP.put, encodeMessage([[PUT.key, key]])]])]),
  ]);
}

/** The first and the last key below a prefix: who may write them may write all between, by any rule that is a range. */
export const edgesOf = (prefix: string): string[] => [`${prefix}/ `, `${prefix}/~`];

/** Puts the marker if there is no key below the prefix; else reads it. One atomic step: of two clusters that do it at the same time one is refused. */
export function claimOf(prefix: string, marker: string): Uint8Array {
  const { key, end } = below(prefix);
  const own = markerKey(prefix);
  return encodeMessage([
    [
      TXN.compare,
      encodeMessage([
        [COMPARE.target, CREATE],
        [COMPARE.key, key],
        [COMPARE.rangeEnd, end],
      ]),
    ],
    [
      TXN.success,
      encodeMessage([
        [
          OP.put,
          encodeMessage([
            [PUT.key, own],
            [PUT.value, marker],
          ]),
        ],
      ]),
    ],
    [TXN.failure, encodeMessage([[OP.range, oneKey(own)]])],
  ]);
}

/** The id of the etcd cluster that answered, hexadecimal as etcd's log has it. */
export const clusterIdOf = (answer: Message): string => answer.messages(1)[0]?.integer(1).toString(16) ?? '';

/** Keys and values of a RangeResponse, and how many there are in all. */
export function rangeOf(answer: Message): { keys: string[]; values: string[]; count: number } {
  const found = answer.messages(2);
  const of = (number: number) => found.map((each) => each.texts(number).at(-1) ?? '');
  return { keys: of(1), values: of(5), count: Number(answer.integer(4)) };
}

/** Did the claim put the marker, and otherwise: the one that is there; null: none. */
export function claimed(answer: Message): { made: boolean; found: string | null } {
  const range = answer.messages(3)[0]?.messages(1)[0];
  return { made: answer.integer(2) === 1n, found: (range && rangeOf(range).values[0]) ?? null };
}

/** A StatusResponse in the form of the JSON gateway, as far as the health of a member needs it. */
export function statusOf(answer: Message): object {
  return {
    version: answer.texts(2).at(-1) ?? '',
    dbSize: Number(answer.integer(3)),
    errors: answer.texts(8),
    dbSizeInUse: Number(answer.integer(9)),
    isLearner: answer.integer(10) === 1n,
    // Of 3.6; older ones leave it out.
    ...(answer.integer(12) > 0n ? { dbSizeQuota: Number(answer.integer(12)) } : {}),
  };
}
