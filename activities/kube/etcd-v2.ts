import type { EtcdAnswer } from './etcd-grpc.ts';
import type { EtcdRegistry } from './etcd-registry.ts';

/**
 * The registry of a discovery URL, with the API of etcd 2 (etcd, api/v2discovery): `<url>/_config/size`, and the members below
 * `<url>` as `<name>=<peer URL>`.
 */

/** Words of curl that get a key; how curl ended is the last line. */
export const V2_WORDS = `-s -m 8 -w '\\ncurl-exit: %{exitcode} %{errormsg}\\n'`;

/** `errorCode` of a key that is not there. */
const KEY_NOT_FOUND = 100;

interface Node {
  key: string;
  value: string | null;
  nodes: Node[];
}

/** A key of the registry; null: it is not there; or why there is no answer of etcd 2. */
type V2Answer = { node: Node | null } | Extract<EtcdAnswer, { strange: string } | { exit: number }>;

/** Reads what curl printed for a key. Never throws. */
export function readV2Answer(output: string): V2Answer {
  const end = /\ncurl-exit: (\d+) ?([^\n]*)\n?$/.exec(output);
  if (!end) return { strange: 'curl was ended' };
  if (end[1] !== '0') return { exit: Number(end[1]), message: end[2]!.slice(0, 300) };
  const body = output.slice(0, end.index);
  try {
    const { node, errorCode } = JSON.parse(body) as { node?: unknown; errorCode?: unknown };
    if (errorCode === KEY_NOT_FOUND) return { node: null };
    const read = nodeOf(node);
    if (read) return { node: read };
  } catch {
    // Said below.
  }
  return { strange: body.trim().slice(0, 200) };
}

/** What is registered below a URL. `claim`: what takes its place, for the API has none. */
export const v2Registry = (size: Node | null, members: Node | null, claim: string | null): EtcdRegistry => ({
  size: size?.value ?? null,
  claim,
  members: (members?.nodes ?? []).flatMap(({ value }) => value?.slice(0, 300) ?? []).sort(),
});

function nodeOf(from: unknown): Node | null {
  if (typeof from !== 'object' || from === null) return null;
  const { key, value, nodes } = from as { key?: unknown; value?: unknown; nodes?: unknown };
  if (typeof key !== 'string') return null;
  return {
    key,
    value: typeof value === 'string' ? value : null,
    nodes: Array.isArray(nodes) ? nodes.flatMap((each) => nodeOf(each) ?? []) : [],
  };
}
