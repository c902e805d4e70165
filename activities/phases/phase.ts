import { z } from 'zod';
import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { ClientCertificateUse } from '../../contracts/credential-use.ts';
import type { ErrorCode, KubewrightError } from '../../contracts/errors.ts';
import type { Host, Role } from '../../contracts/host.ts';
import type { FieldIssue } from '../../contracts/issues.ts';
import type { Change, TaskInput, Turn } from '../../contracts/operation.ts';
import type { Need } from '../../contracts/plan.ts';
import type { Registry } from '../../contracts/registries.ts';
import type { ArtifactSource } from '../artifacts/source.ts';
import type { HostFacts, RemoteHost } from '../host/types.ts';
import type { ProxyUrls } from '../kube/proxy.ts';
import type { Pki } from '../pki/types.ts';
import type { ObjectRef } from '../resources/manifests.ts';
import type { Resource, SecretText } from '../resources/resource.ts';
import type { Capability, GetOffer, Offer } from './capability.ts';
import type { CauseLook } from './cause-look.ts';
import type { ClusterState } from './cluster-state.ts';
import type { PhaseFolder } from './folders.ts';
import type { Guard } from './guard.ts';
import type { Requirements, RequiresView } from './requires.ts';

/**
 * Where a phase runs. `all`, a role (hosts of it), `kube` (control planes and workers), `one-control-plane` (the first
 * control plane of the spec that is in: objects inside the cluster, through its kubectl), `controller` (no host at all).
 */
export type PhaseHosts = 'all' | Role | 'nodes' | 'one-control-plane' | 'controller';

/** What a change disrupts while it is made. */
export type Disruption = 'etcd' | 'control-plane' | 'load-balancer' | 'endpoint' | 'node';

/** A client certificate of the user for a server of others, PEM. */
export interface OpenedCertificate {
  /** Intermediate certificates after it. */
  certificate: string;
  privateKey: SecretText;
  /** Authorities of the server. */
  ca: string;
}

/** A login to a registry of others. */
export interface OpenedRegistryLogin {
  /** `user:password` in base64, as HTTP and the configurations of all runtimes have it. */
  basic: SecretText;
}

/** What a phase's functions are given. Data only. */
export interface PhaseContext<Options> {
  cluster: ClusterSpec;
  /** Id of the operation that the task belongs to. */
  operation: string;
  /** The host of the task; for `controller` the first control plane, for its names only. */
  host: Host;
  /** The hosts of this phase, in the order of the spec; of a `one-control-plane` phase, the one. */
  peers: Host[];
  /** This phase's options on this host: defaults, spec.phases, then the host's own. */
  options: Options;
  /**
   * What the enabled provider of a capability offers on a host (default: this one). Throws INTERNAL, with the names of both,
   * for a provider that offers nothing or something of another shape.
   */
  offer: GetOffer;
  facts: HostFacts;
  pki: Pki;
  /** Every phase by its name, in their order: for phases that depend on the others. */
  phases: ReadonlyMap<string, Phase>;
  /** Take out of the store what it keeps for these hosts (null: for the whole cluster). Returns how many entries. */
  purgeSecrets: (what: {
    hosts: readonly string[] | null;
    dryRun: boolean;
  }) => Promise<{ secrets: number; hostKeys: number }>;
  artifacts: ArtifactSource;
  /** The proxies of `spec.proxy`, login included; null where there is none, and in a teardown. */
  proxy: ProxyUrls | null;
  /**
   * Opens a stored client certificate. Throws SSH_CREDENTIAL_UNUSABLE when the cluster may not use it at one of these places,
   * CLIENT_CERTIFICATE_UNUSABLE when it has expired.
   */
  clientCertificate: (use: ClientCertificateUse) => Promise<OpenedCertificate>;
  /** Opens the stored login of a registry of the spec; null where it names none. Throws SSH_CREDENTIAL_UNUSABLE. */
  registryLogin: (registry: Registry) => Promise<OpenedRegistryLogin | null>;
  /** Of cluster-wide phases: hosts in quarantine, which nothing may wait for. */
  quarantined: readonly string[];
  /** Of cluster-wide phases: the hosts that the operation is about; null = all that are in. */
  targetHosts: readonly string[] | null;
  clusterState: ClusterState;
  /** `apply` or `check` (dry run: nothing may be changed, neither on hosts nor in the store). */
  mode: 'apply' | 'check';
  /** The task changes a host of a cluster that serves, in a window of the plan: hosts that are out, and those that served before it. Absent: it does not. */
  window?: Pick<NonNullable<TaskInput['window']>, 'excluded' | 'served'> | undefined;
}

/** Hooks and verify also get the host and ways to wait and to fail. */
export interface PhaseRun<Options> extends PhaseContext<Options> {
  remote: RemoteHost;
  /**
   * A control plane whose API server is ready, for what a host's own task asks the cluster or does to its node (cordon, drain):
   * its commands have the admin's kubeconfig, are in the journal of this task and behind its fence. The next control plane
   * stands in for one that cannot be reached, for commands without `changes`; those with are refused in mode `check`. Throws
   * APISERVER_NOT_READY, with what each said, when none is ready.
   */
  controlPlane: () => Promise<RemoteHost>;
  /** What the engine changed in this task before this call. */
  changes: readonly Change[];
  /** The host's stamp says that just this desired state was verified before, and this task changed nothing. */
  verified: boolean;
  /** Throw a catalogue error with this phase and host on it; `blames`: the hosts that are to be decided about instead. */
  fail: (code: ErrorCode, message: string, evidence?: string, blames?: string[]) => never;
  /**
   * Bounded waiting: calls `probe` until it returns null; the text it returns is what is still missing and becomes the
   * evidence, if need be with the hosts to blame. In mode `check` it waits for nothing. Prefer one remote command that waits by itself (kubectl wait, a sh loop with short sleeps) over many probes.
   */
  waitFor: (
    what: { code: ErrorCode; message: string; timeoutMs: number; intervalMs?: number },
    probe: () => Promise<string | { missing: string; blames: string[] } | null>,
  ) => Promise<void>;
  /** Last lines of a unit's journal, as evidence. */
  unitJournal: (unit: string, lines?: number) => Promise<string>;
  signal: AbortSignal;
}

/** What `teardown` hooks are given. */
export interface TeardownRun<Options> extends PhaseRun<Options> {
  /** What a `baseline` resource saw before the first change of its phase; empty when it saw nothing. */
  baselineOf: (id: string) => string;
}

/** What a check is given. */
export interface CheckRun<Options> extends PhaseRun<Options> {
  /** It held before, at some time: the host served already. */
  heldBefore: boolean;
}

/** What goes on running when a phase is done. */
export interface KeepsRunning {
  /** systemd units on its hosts, without `.service`. */
  units?: readonly string[];
  /** Objects of kube-system as `<kind>/<name>` (Deployment, DaemonSet, APIService). */
  objects?: readonly string[];
}

/** What the health check asks on the hosts of one phase, beside its units. */
export interface HealthProbe {
  /** Globs of certificates in PEM, whose ends it watches. */
  certificates?: readonly string[];
  /**
   * sh that changes nothing, ends within a second or two, and prints lines with `say WORD...`: the first word is the kind of the row, for
   * the check in `activities/health/checks/` that reads it.
   */
  script?: { text: string; args: readonly string[] };
}

export interface PhaseSpec<Schema extends z.ZodType> {
  name: string;
  title: string;
  /** It is part of the plans of operation kinds that name it, and of no other. */
  onDemand?: true;
  hosts: PhaseHosts;
  /**
   * Data for others about capabilities that it provides: `podNetwork.offer(...)`. They are added to `provides`.
   */
  offers?: readonly Offer<z.output<Schema>>[];
  /**
   * Capabilities that others find in it, whichever phase it is, and for which it offers nothing. Default: its own name.
   * One that is no phase's name is a choice: a cluster has exactly one provider of it.
   */
  provides?: readonly string[];
  /** What a task truly needs: phases, or capabilities, which the plan resolves to the enabled providers. Order otherwise does not exist: tasks start as soon as their needs are met. */
  needs: readonly Need[];
  /** Tasks at once: `together` (default), `one-by-one`, or a number. */
  rollout?: 'together' | 'one-by-one' | number;
  /**
   * What its changes disrupt on a host that serves already: they wait for the plan's window of that. Of phases with
   * resources; `verify` must find that the host serves again, for the next host is changed then. Of a check: the next host is
   * changed when it holds.
   */
  disrupts?: Disruption;
  /**
   * Of a phase that `disrupts`: this change works only when all hosts make it at the same time, because hosts before and behind it
   * do not understand each other. Its tasks are in no window then. `before`: the options of the last build as a whole. Pure.
   */
  changesTogether?(view: { before: z.output<Schema>; after: z.output<Schema> }): boolean;
  timeouts: { applyMs: number; verifyMs: number };
  /** For the progress display only. Measured on the lab. */
  expectedMs: number;
  /** What goes on running when it is done, for the health of the cluster; a function where options decide. Pure. */
  keepsRunning?: KeepsRunning | ((view: { cluster: ClusterSpec; options: z.output<Schema> }) => KeepsRunning);
  /** What else the health check looks at on its hosts. Pure. */
  healthProbe?(view: RequiresView<z.output<Schema>>): HealthProbe;
  /** Hosts of this role let the others in by their addresses: when a host is replaced, their tasks run again. */
  allowlistsPeers?: Role;
  /**
   * Every host of the phase writes down where the hosts of these roles are: when one of those is replaced or leaves the cluster, all
   * their tasks run again.
   */
  dependsOnAddressesOf?: readonly Role[];
  /** In a cluster that serves, a new host of the phase begins when all others know it. Of a phase that `disrupts`. */
  joinsLast?: true;
  /**
   * It takes away what the desired state no longer has: it comes after every phase of the plan that does not need it, and is
   * planned only on hosts where the desired state may have changed since it succeeded there.
   */
  closing?: true;
  /**
   * Objects in the cluster that its hooks make, beside its `manifests`: while the phase is switched on they are not pruned.
   * The hooks label them with `ownerLabels`.
   */
  objects?: readonly ObjectRef[];
  /**
   * Its verify, or all of it where it is a check, waits for pods: while a pod network that the user brings is not there
   * (`awaited` of its provider), the task ends without it, and the next build does it.
   */
  waitsForPods?: true;
  /**
   * Of a provider that the user brings: null when it is there, as the host of `run` and the cluster say; otherwise what is
   * missing. Waits for nothing, changes nothing.
   */
  awaited?(run: PhaseRun<unknown>): Promise<string | null>;
  /** Of a `one-control-plane` phase: it does something for each node, so healing a node takes it too. */
  actsPerNode?: boolean;
  /**
   * Options that name the version of a component which only an upgrade changes on a cluster that was built: changing it
   * restarts what the cluster or its pods depend on. `component`: its name in messages.
   */
  upgrades?: readonly { component: string; option: string }[];
  /**
   * Options that no build changes while pods run. `because`: the end of a sentence that begins with what the option is. Those
   * who send another value get SWITCH_REFUSED.
   */
  fixed?: readonly { option: string; because: string /** Its value where it is not given. */; whenAbsent?: string }[];
  /** Name of a capability; where no phase provides it in a cluster, this one is not planned. */
  onlyWith?: string;
  /** Other phases that cannot be in the same cluster. */
  conflicts?: readonly string[];
  /**
   * It can be switched off: it has the option `enabled`, beside its own; what it placed is then taken away.
   * `when-named`: off unless the spec has it under `spec.phases`, as all providers of a choice but the default one.
   */
  optional?: true | 'when-named';
  /** It is on and has nothing to do on any host: no task is planned; what it provides, it provides. */
  isIdle?(cluster: ClusterSpec): boolean;
  /** False leaves the phase out of the plan; default: always in. */
  enabled?(cluster: ClusterSpec, options: z.output<Schema>): boolean;
  options: Schema;
  /**
   * Name of the phase whose options these are: another way to do its work, for which a spec has the same options at the same place,
   * `spec.phases.<that phase>`. A spec has none under its own name.
   */
  sharesOptionsWith?: string;
  /**
   * What of a spec does not go together for this phase, beside the shape of its options: asked for a spec that is sent, while the
   * phase is on. Pure.
   */
  specIssues?(view: {
    cluster: ClusterSpec;
    options: z.output<Schema>;
    /** What the provider of a capability offers; null where the spec does not choose exactly one. */
    offered: <Data>(capability: Capability<Data>) => Data | null;
  }): readonly FieldIssue[];
  /**
   * What a spec may not have that clusters of earlier versions may have: asked for a spec that is sent, with the one that the cluster
   * has (`before`), and never for that one. Pure.
   */
  newSpecIssues?(view: { cluster: ClusterSpec; before: ClusterSpec | null }): readonly FieldIssue[];
  /**
   * Every folder that it fills on its hosts: fixed ones, and those that options name. A spec in which a named one is, holds
   * or lies in one of another phase is refused.
   */
  folders?(options: z.output<Schema>): readonly PhaseFolder[];
  /** What it needs of its hosts and of the cluster; read by `prepare`, `preflight`, `binaries`, `registry` and `master`. Pure. */
  requires?: (view: RequiresView<z.output<Schema>>) => Requirements;
  /** What its hosts need where the phase is off, for something else does its work there. Pure. */
  requiresWhenOff?: (view: RequiresView<z.output<Schema>>) => Requirements;
  /**
   * Client certificates that its options name (`option`: their place below the options), and the servers that they are for:
   * who sends the spec must be allowed to use them there. Pure.
   */
  clientCertificates?(
    options: z.output<Schema>,
    cluster: ClusterSpec,
  ): readonly (ClientCertificateUse & { option: readonly string[] })[];
  /** Options that only role admin, or a policy of the cluster, may set, change or take out. */
  guarded?: readonly Guard[];
  resources?(context: PhaseContext<z.output<Schema>>): readonly Resource[] | Promise<readonly Resource[]>;
  hooks?: {
    /** Before the probe: waits for what must be there, or reads (preflight). Must not change anything in mode `check`. */
    before?(run: PhaseRun<z.output<Schema>>): Promise<void>;
    /**
     * Of a phase that `disrupts`: when the host is to be changed, among those of its window. `first`: it does not serve, so
     * that changing it disrupts nothing. `last`: the others depend on it now. Asked where something differs, and again when the
     * host enters the window. Changes nothing.
     */
    turn?(run: PhaseRun<z.output<Schema>>): Promise<Turn | null>;
    /** After apply, before verify. Observes before it acts; returns what it changed. Not called in mode `check`. */
    after?(run: PhaseRun<z.output<Schema>>): Promise<Change[]>;
    /**
     * A host is about to leave the cluster or the phase, while others go on: makes one of those take over what only one host has
     * at a time, before they forget this one. Such a phase may lose a host by a changed spec. Observes before it acts; safe to
     * repeat. Returns what it changed. Not called in mode `check`.
     */
    handOver?(run: PhaseRun<z.output<Schema>>): Promise<Change[]>;
    /**
     * A host is torn down and its units are stopped: takes away what is left beside the phase's resources, of ours alone.
     * Called where the phase placed something or has `fills` in `requires`. Safe to repeat. Returns what it removed or kept.
     */
    teardown?(run: TeardownRun<z.output<Schema>>): Promise<Change[]>;
  };
  /**
   * Did the phase reach its goal? Called after changes, and whenever the host's stamp says that the present desired
   * state was not yet verified; not on an unchanged, verified host.
   */
  verify?(run: PhaseRun<z.output<Schema>>): Promise<void>;
  /**
   * The whole task, of a phase that has no state of its own. Observes before it acts, and in mode `check` only reports.
   * A phase has this, or resources, hooks and verify, or `check`.
   */
  run?(run: PhaseRun<z.output<Schema>>): Promise<Change[]>;
  /**
   * The whole task, of a phase that only asks whether something holds: throws when it does not, changes nothing. It is asked
   * when a phase that it needs changed something since it held, or when its options or hosts are others; otherwise, and in
   * mode `check`, its task asks no host anything.
   */
  check?(run: CheckRun<z.output<Schema>>): Promise<void>;
  /**
   * Errors of tasks behind it, its own among them, that its state may be the cause of: asked when a task fails with such a code.
   * Null: it is not. The task fails with the cause instead, and has its own error in the evidence.
   */
  explains?: { codes: readonly ErrorCode[]; cause(look: CauseLook): Promise<KubewrightError | null> };
  /** Small facts for the status answer, after success. */
  facts?(run: PhaseRun<z.output<Schema>>): Promise<Record<string, string | number | boolean>>;
}

/** A phase with its option type erased, as the registry holds it. */
export type Phase = PhaseSpec<z.ZodType>;

/** Declare a phase: one file under activities/phases/, default export. */
export function definePhase<Schema extends z.ZodType>(spec: PhaseSpec<Schema>): Phase {
  const given = spec as unknown as Phase;
  const offered = given.offers?.map(({ capability }) => capability.name) ?? [];
  const phase = offered.length > 0 ? { ...given, provides: [...(given.provides ?? []), ...offered] } : given;
  return chosenBySpec(phase.optional ? switchable(phase) : phase);
}

/** On where the spec's own field chooses it. */
function chosenBySpec(phase: Phase): Phase {
  const chosen = phase.offers?.flatMap(({ capability }) => capability.chosen ?? []) ?? [];
  if (chosen.length === 0) return phase;
  return {
    ...phase,
    enabled: (cluster, options) =>
      chosen.every(({ by }) => by(cluster) === phase.name) && (phase.enabled?.(cluster, options) ?? true),
  };
}

/** It provides something of which a cluster has exactly one provider; capabilities without an offer are such. */
export function isOfChoice({ offers = [], provides = [] }: Pick<Phase, 'offers' | 'provides'>): boolean {
  const free = new Set(offers.filter(({ capability }) => !capability.choice).map(({ capability }) => capability.name));
  return provides.some((name) => !free.has(name));
}

/** The phase with the option `enabled`. Throws an Error for options that are no object. */
function switchable(phase: Phase): Phase {
  if (!(phase.options instanceof z.ZodObject)) throw new Error(`phase ${phase.name}: its options are no object`);
  // No default for a provider: hosts of earlier versions carry a digest of its options, which stays the same.
  const flag = isOfChoice(phase) ? z.boolean().optional() : z.boolean().default(true);
  return {
    ...phase,
    options: phase.options.extend({
      enabled: flag.describe('false: the phase does not run, and everything that it placed is removed'),
    }),
    enabled: (cluster, options) =>
      (phase.optional !== 'when-named' || Object.hasOwn(cluster.spec.phases, phase.name)) &&
      (options as { enabled?: boolean }).enabled !== false &&
      (phase.enabled?.(cluster, options) ?? true),
  };
}
