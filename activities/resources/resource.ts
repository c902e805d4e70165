import type { Change } from '../../contracts/operation.ts';
import type { HostFacts, RemoteHost } from '../host/types.ts';
import type { LedgerEntry, Trace } from './ledger.ts';

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

/** Whose desired state a resource is part of. */
export interface Owner {
  readonly cluster: string;
  readonly phase: string;
}

/**
 * What a resource kind is: the default export of a file of this folder, or of `<name>-resource.ts` in the folder of the phase that
 * alone has it. Shared code never branches on a kind: the engine finds the kind's object by its name (`engine/resource-kinds.ts`). A kind has `fragment` (joined with its neighbours into one round trip) or
 * `apply` (commands of its own).
 */
export interface ResourceKind<R extends Resource, Observed> extends Undoing {
  readonly kind: R['kind'];
  /**
   * POSIX sh that prints the present state, read-only, at most one second. The engine joins the fragments of all
   * resources of a task into one script and splits the output again: one round trip per task. A failing command in it
   * is no error (neither -e nor -u is set); standard input is empty, standard error dropped. It may use the functions of
   * probe-functions.ts, and prints something in any case: that nothing is there is a word, not silence. What cannot be
   * found out (what is asked does not answer, or answers with an error) it says by `kw_unknown`, or `parse` throws it.
   * Values go in as quoted words through `quote` only.
   */
  probe(resource: R, quote: (word: string) => string): string;
  /** The same for several resources of the kind at once, where that takes fewer processes on the host. */
  together?: Together<R>;
  /** Of a complete answer, which is not empty. Throws Unknown for one that says neither how it is nor that it is not there. */
  parse(output: string, resource: R): Observed;
  /** Pure. Empty = as desired. */
  diff(resource: R, observed: Observed, context: DiffContext): Change[];
  /** The part of a batch script that makes it so. Pure. */
  fragment?(resource: R, observed: Observed, context: FragmentContext): Fragment;
  apply?(resource: R, observed: Observed, context: ApplyContext): Promise<void>;
  /**
   * What the change leaves in the host's ledger, so that a teardown can undo it. Pure; asked only when there is a change.
   * None: it leaves nothing of its own. `observed` null: what was there before us is not known.
   */
  ledgerEntries?(resource: R, observed: Observed | null): readonly Trace[];
  /**
   * Does the entry of a host's ledger belong to this resource as it is desired? Pure. Default: it is one of those that
   * `ledgerEntries` names when nothing is known of the time before. An entry of no desired resource is taken back.
   */
  owns?(resource: R, entry: LedgerEntry): boolean;
  /** The resource with its owner written on it, for kinds whose things are found again by that. Pure. */
  ownedBy?(resource: R, owner: Owner): R;
  /** Digest of the desired content, for restart stamps: changes when a dependent service has to restart. */
  digest(resource: R): string;
  /** Values for the redactor. */
  secrets?(resource: R): string[];
  /** Paths by which `restartOn` may name it. Default: its id. */
  provides?(resource: R): string[];
  /** Paths of what it places, which have to have the labels of SELinux's policy. Default: none. */
  places?(resource: R): string[];
  /** The resources (`kind:id` or path) whose change restarts this one's unit, and the stamp that remembers it. */
  restartsOn?(resource: R): { references: readonly string[]; stamp: string };
}

/** One probe for several resources of a kind, with the rules of `probe`; on a host each process costs some 1 ms. */
export interface Together<R extends Resource> {
  probe(resources: readonly R[], quote: (word: string) => string): string;
  /** What `probe` of each resource alone would have printed, in their order; empty for what is not known: it is asked again alone. Pure. */
  split(output: string, resources: readonly R[]): string[];
}

/** How what a kind placed is taken back. */
export interface Undoing {
  readonly kind: string;
  /** `first`: what runs uses what the others take away. `last`: what runs again needs what the others bring back. */
  readonly undoWhen?: 'first' | 'last';
  /**
   * Its scripts heed KW_DRY: a dry run runs them, and they report their changes. `together`: only those for all entries at
   * once give the right result (a package goes with the one that needs it).
   */
  readonly dry?: true | 'together';
  /** An entry that its script reports as `kept` stays in the ledger: it is tried again. */
  readonly keptStays?: true;
  /** True for an entry that only a teardown takes back, whatever the desired state is. */
  outlives?(entry: LedgerEntry): boolean;
  /**
   * sh that undoes what the entries of this kind placed; they are given newest first. Pure. See `undoFunctions` for
   * what the scripts may call and how they report; each runs in a subshell of its own, and its exit code counts. Safe to
   * repeat, and at rest with what is gone already.
   */
  undo?(entries: readonly LedgerEntry[], context: UndoContext): readonly UndoStep[];
}

export interface UndoStep {
  /** The key of the entry that it reports on, or of them all. */
  readonly key: string;
  readonly script: string;
}

export interface UndoContext {
  readonly facts: HostFacts;
  readonly quote: (word: string) => string;
}

export interface DiffContext {
  facts: HostFacts;
  /** `kind:id` of resources that differ or were changed in this run, in order. */
  changed: ReadonlySet<string>;
  /** Digest of what the given resources (`kind:id` or a bare path, which matches by id) should be. */
  digestOf(references: readonly string[]): string;
  /** True when one of the given resources is in `changed`. */
  anyChanged(references: readonly string[]): boolean;
}

export interface FragmentContext extends DiffContext {
  readonly quote: (word: string) => string;
  /** Hand over content to the batch; returns the number that `put` takes. Travels on standard input, never in argv. */
  readonly payload: (content: string | Uint8Array) => number;
}

export interface ApplyContext extends DiffContext {
  host: RemoteHost;
  /**
   * A control plane whose API server is ready, for a host that becomes one, with the admin's kubeconfig. Throws APISERVER_NOT_READY, with what
   * each said, when none is. What it changes there is in no change of the resource: say it with each command.
   */
  controlPlane(): Promise<RemoteHost>;
  /** For the ledger, which an `apply` writes itself. */
  phase: string;
  signal: AbortSignal;
  /** The step in words, for heartbeats. */
  onStep(step: string): void;
}

/**
 * One resource's part of a batch. The script may use the functions of batch-script.ts (`put`, `kw_fail`, `fetch` ...)
 * and runs under `sh -eu`.
 */
export interface Fragment {
  readonly script: string;
  /** What to do with units once this fragment and the unit fragments right after it are through. */
  readonly units?: UnitActions;
  /** `transfer`: runs side by side with the transfers next to it, and apart from everything else. */
  readonly lane?: 'quick' | 'transfer';
  /** How long it may take, ms. Default 10,000; those of a batch add up (transfers: the longest counts). */
  readonly timeoutMs?: number;
}

/** Wishes of one service for systemd, carried out together with its neighbours': one daemon-reload, one restart. */
export interface UnitActions {
  readonly unit: string;
  readonly daemonReload: boolean;
  readonly enable?: boolean | undefined;
  readonly resetFailed?: boolean;
  readonly run?: 'start' | 'restart' | 'reload' | 'stop' | undefined;
  /** False: does not wait until the unit says that it is ready. */
  readonly wait: boolean;
  /** sh that runs before any of the units is stopped or restarted. */
  readonly beforeStop?: string | undefined;
  /** Written after the run. */
  readonly stamp?: { readonly path: string; readonly content: string } | undefined;
}

/** `kind:id`, the name of a resource in changes, steps and stamps. */
export const resourceKey = (resource: Resource): string => `${resource.kind}:${resource.id}`;

/** A kind of resource, the default export of its file. */
export const defineKind = <R extends Resource, Observed>(kind: ResourceKind<R, Observed>): ResourceKind<R, Observed> =>
  kind;

/** How entries of the ledger are taken back that no kind of resource is named after, the default export of its file. */
export const defineUndoing = (undoing: Undoing): Undoing => undoing;
