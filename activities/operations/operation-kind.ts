import { z } from 'zod';
import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Actor, OperationInput } from '../../contracts/operation.ts';
import type { ClusterStateName, OperationTraits } from '../../contracts/operation-traits.ts';
import type { Plan } from '../../contracts/plan.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import type { ValidatePhases } from '../../contracts/spec-parse.ts';
import type { Phase } from '../phases/phase.ts';
import type { WindowSizes } from './windows.ts';

/** `apply`, or `check`: a dry run, which changes nothing. */
export type OperationMode = OperationInput['mode'];

/** Fields of a request that every plan understands: only these hosts, only these phases. */
export const someHosts = { hosts: z.array(dnsLabel).min(1).max(1000).optional() };
export const somePhases = { phases: z.array(dnsLabel).min(1).max(64).optional() };

/** What a plan depends on besides the request and the spec. */
export interface PlanWorld {
  /** Hosts that serve in the cluster already: those that builds have gone through on. */
  served: readonly string[];
  /** The spec of the last build as a whole. Null: there was none. */
  before: ClusterSpec | null;
  /** Every phase of this version. */
  phases: readonly Phase[];
}

/** Which tasks a plan has, and what else a kind gives its plan. */
export interface PlanParts extends Partial<Pick<Plan, 'quarantined' | 'focus' | 'quorum'>> {
  /** True for the hosts of a phase that have a task. Phases that run in the worker are always kept. */
  keep: (host: string, phase: Phase) => boolean;
  /** The cluster with its hosts in another order. Default: as in the spec. */
  cluster?: ClusterSpec;
  /** Hosts that cluster-wide phases stay away from. Default: `quarantined`. */
  out?: readonly string[];
  /** This phase runs on these hosts before everything else. Absent: nothing is handed over. */
  handOver?: { phase: string; hosts: readonly string[] };
  /**
   * Hosts that leave the cluster. Phases of builds that have written them down run on the other hosts, with the spec without
   * these, before the phase `takenBack`. Absent: none leaves.
   */
  leaving?: { hosts: readonly string[]; takenBack: string };
  /** How many hosts that serve are changed at once; `before`: the spec of the last build as a whole. Absent: all. */
  rolls?: { served: readonly string[]; sizes: WindowSizes; before?: ClusterSpec | null };
}

/** A request that a guard is asked about. */
export interface AskedOperation<Request> {
  cluster: string;
  mode: OperationMode;
  actor: Actor;
  /** The spec that the operation would run on. */
  spec: ClusterSpec;
  request: Request;
}

/** Another spec in the place of the one that a cluster has. */
export interface SpecChange {
  before: ClusterSpec;
  after: ClusterSpec;
  /** A running operation goes on with it; else a new operation begins with it. */
  isCorrection: boolean;
}

/** What guards may look at. The API implements it. */
export interface GuardWorld {
  phases: readonly Phase[];
  validatePhases: ValidatePhases;
  /** Names of the cluster's hosts in quarantine. */
  quarantined(): Promise<string[]>;
  /** A build as a whole has succeeded since the cluster came to be. */
  wasBuilt(): Promise<boolean>;
  /** Names of the hosts that builds have gone through on. */
  served(): Promise<string[]>;
  /** Null: the store has no such cluster. */
  state(): Promise<ClusterStateName | null>;
}

/** A path of a kind's own, below `/clusters/{name}`, with the method DELETE. `:host` in it is the one host of the request; `/hosts` names them in its query. */
export interface KindRoute {
  path: '' | '/hosts/:host' | '/hosts';
  role: 'operator' | 'admin';
  /** Name of the operation in OpenAPI. */
  operationId: string;
  summary: string;
}

/** Requests of other routes that start an operation. Each starts one kind: `spec` is POST /clusters, `replacement` a new machine for a host in quarantine. */
export const STARTERS = ['spec', 'replacement'] as const;
export type Starter = (typeof STARTERS)[number];

/** A kind of operation: one file in activities/operations/kinds/. */
export interface OperationKindSpec<Shape extends z.ZodRawShape> extends OperationTraits {
  name: string;
  /** What it does, after the name: one line of OpenAPI. */
  title: string;
  /** The least role of a token that may ask for it. */
  role: 'operator' | 'admin';
  /** Default first. */
  modes: readonly OperationMode[];
  /** Fields of a request beside `kind` and `mode`. `hosts` and `phases` limit the plan. */
  request: Shape;
  /** Absent: `POST /clusters/{name}/operations`. */
  routes?: readonly KindRoute[];
  startedBy?: readonly Starter[];
  /** True: a request in mode `apply` repeats the name of what it is about (`confirm`). */
  confirm?: boolean;
  /** Throws KubewrightError for what must not begin. Asked by the API; the operation itself begins later. */
  guard?(asked: AskedOperation<z.output<z.ZodObject<Shape>>>, world: GuardWorld): Promise<void> | void;
  /**
   * Throws KubewrightError for a spec that must not take the place of the cluster's. Default: keepRunningCluster of
   * spec-changes.ts.
   */
  guardSpec?(change: SpecChange, world: GuardWorld): Promise<void>;
  /** Names of the phases that it plans. Default: every phase that is not `onDemand`. */
  phases?: readonly string[];
  /** Pure. Throws KubewrightError. */
  plan(
    input: OperationInput & { request: z.output<z.ZodObject<Shape>> },
    cluster: ClusterSpec,
    world: PlanWorld,
  ): PlanParts;
}

/** A kind with the type of its request erased, as the registry holds it. */
export type OperationKind = Omit<OperationKindSpec<z.ZodRawShape>, 'request'> & {
  request: z.ZodType<KindRequest>;
};

/** A parsed request of any kind, without `kind` and `mode`. */
export type KindRequest = Record<string, unknown> & { hosts?: string[] | undefined; phases?: string[] | undefined };

/** The kinds by their names. */
export type OperationKinds = ReadonlyMap<string, OperationKind>;

/** Declare a kind of operation: one file in activities/operations/kinds/, default export. */
export const defineOperation = <Shape extends z.ZodRawShape>(spec: OperationKindSpec<Shape>): OperationKind =>
  ({ ...spec, request: z.strictObject(spec.request) }) as unknown as OperationKind;

/** What of a kind travels with its operations. */
export const kindTraits = ({ effect, clusterStates, targets }: OperationKind): OperationTraits => ({
  effect,
  clusterStates,
  ...(targets ? { targets } : {}),
});
