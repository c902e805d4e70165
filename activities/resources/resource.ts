import type { Change } from '../../contracts/operation.ts';
import type { HostFacts, RemoteHost } from '../host/types.ts';

/** A value that must never be shown: the engine hands it to the redactor and says only its digest. */
export interface SecretText {
  readonly secret: true;
  readonly value: string;
}
export type Text = string | SecretText;
export const secretText = (value: string): SecretText => ({ secret: true, value });
export const plainText = (text: Text): string => (typeof text === 'string' ? text : text.value);

/** One piece of desired state on a host. `id` is unique within its kind on a host. */
export interface Resource {
  readonly kind: string;
  readonly id: string;
}

/**
 * What a resource kind is. Shared code never branches on a kind: the engine finds the kind's object through
 * `resource-kinds.ts` (one file per kind).
 */
export interface ResourceKind<R extends Resource, Observed> {
  readonly kind: R['kind'];
  /**
   * POSIX sh that prints the present state, read-only, at most one second. The engine joins the fragments of all
   * resources of a task into one script and splits the output again: one round trip per task.
   * Values go in as quoted words through `quote` only.
   */
  probe(resource: R, quote: (word: string) => string): string;
  parse(output: string, resource: R): Observed;
  /** Pure. Empty = as desired. */
  diff(resource: R, observed: Observed, context: DiffContext): Change[];
  apply(resource: R, observed: Observed, context: ApplyContext): Promise<void>;
  /** Digest of the desired content, for restart stamps: changes when a dependent service has to restart. */
  digest(resource: R): string;
  /** Values for the redactor. */
  secrets?(resource: R): string[];
}

export interface DiffContext {
  facts: HostFacts;
  /** `kind:id` of resources that differ or were changed in this run, in order. */
  changed: ReadonlySet<string>;
  /** Digest of what the given resources (`kind:id` or a bare path, which matches by id) should be. */
  digestOf(references: readonly string[]): string;
}

export interface ApplyContext extends DiffContext {
  host: RemoteHost;
}
