/**
 * Where a payload of Temporal comes from, and what a message says of itself. Zod-free: workflows, activities and codec
 * share it.
 */

/**
 * What the worker's codec found out about a payload that it opened. `api`: sealed for this place and signed by an API at
 * `at` (ms since 1970); `worker`: sealed for this place; `legacy`: sealed by a version that named no place; `none`: not
 * ours, or not for this place.
 */
export type Proof =
  | { by: 'api'; at: number }
  | { by: 'worker' }
  | { by: 'legacy' }
  | { by: 'none'; why: 'not sealed' | 'sealed for another place' | 'not to be opened' };

/** Metadata of an opened payload under which the codec hands its proof to the payload converter. Never on the wire. */
export const PROOF_METADATA = 'kubewright-proof';

/** By symbol of the registry: the SDK loads converters as modules of their own. */
const PROOF = Symbol.for('kubewright.proof');

/** Stands for a value that is not ours. `claims`: what it says, where that could be read; no code may act on it. */
export class Unproven {
  readonly claims: unknown;

  constructor(claims: unknown) {
    this.claims = claims;
  }
}

/** The same object, with its proof beside it: no property that JSON or spreading would see. */
export function withProof<T extends object>(value: T, proof: Proof): T {
  Object.defineProperty(value, PROOF, { value: proof, enumerable: false });
  return value;
}

/** The proof of a value that came through the worker's codec. */
export function proofOf(value: unknown): Proof {
  const found = typeof value === 'object' && value !== null ? (value as { [PROOF]?: Proof })[PROOF] : undefined;
  return found ?? { by: 'none', why: 'not sealed' };
}

/** What a message says of itself, inside its seal: so it serves as no other one. */
export interface Stamp {
  /** Its name: `update/pause`, `signal/cancel`, `start/operation`, `activity/etcd`, `result/etcd`. */
  message: string;
  /** Of an activity's input: the run of the workflow that scheduled it. */
  run?: string | undefined;
}

/** A copy of the message with its stamp. */
export function stamped<T extends object>(message: T, stamp: Stamp): T & { stamp: Stamp } {
  return { ...message, stamp };
}

/** The stamp of a message; undefined when it has none. */
export function stampOf(message: unknown): Stamp | undefined {
  const stamp = typeof message === 'object' && message !== null ? (message as { stamp?: unknown }).stamp : undefined;
  if (typeof stamp !== 'object' || stamp === null || typeof (stamp as Stamp).message !== 'string') return undefined;
  return stamp as Stamp;
}

/** A copy of the message without its stamp; anything else as it is. */
export function withoutStamp(message: unknown): unknown {
  if (stampOf(message) === undefined) return message;
  const { stamp: _stamp, ...rest } = message as { stamp: Stamp };
  return rest;
}

/** Something that came through Temporal and was refused. */
export interface RefusedMessage {
  /** Its name, as in a stamp. */
  message: string;
  why: string;
  /** The actor and the request id that it claims, cut; they are not proved. */
  claims: { actor: string; requestId: string };
}

const CLAIM_CHARS = 100;

/** What an argument says of who sent it. */
export function claimsOf(value: unknown): RefusedMessage['claims'] {
  const claimed = value instanceof Unproven ? value.claims : value;
  if (typeof claimed !== 'object' || claimed === null) return { actor: '', requestId: '' };
  const [item] = Array.isArray((claimed as { items?: unknown }).items)
    ? (claimed as { items: unknown[] }).items
    : [claimed];
  const { actor, requestId } = (typeof item === 'object' && item !== null ? item : {}) as Record<string, unknown>;
  const name = typeof actor === 'object' && actor !== null ? (actor as { name?: unknown }).name : actor;
  return { actor: cut(name), requestId: cut(requestId) };
}

const cut = (value: unknown): string => (typeof value === 'string' ? value.slice(0, CLAIM_CHARS) : '');

/** How long a command may be under way from the API to its workflow, ms; as much for clocks that differ. */
export const COMMAND_LIFE_MS = 5 * 60_000;
