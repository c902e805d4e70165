import { type ClusterSpec, hostsWithRole, withoutHosts } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { FieldIssue } from '../../contracts/issues.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { CONTROLLER_HOST } from '../../contracts/messages.ts';
import type { OperationInput } from '../../contracts/operation.ts';
import { type Need, type Plan, type PlanPhase, type PlanWindow, plan } from '../../contracts/plan.ts';
import { quorumProblem } from '../../contracts/quorum.ts';
import { DEFAULT_TIMEOUTS } from '../../contracts/timeouts.ts';
import { enabledProviders } from '../phases/capabilities.ts';
import { builds, isEnabled } from '../phases/desired.ts';
import { needsOf } from '../phases/needs.ts';
import { changedOffers } from '../phases/offers.ts';
import { phaseOptions } from '../phases/options.ts';
import type { Phase } from '../phases/phase.ts';
import { placementOf } from '../phases/placement.ts';
import { providesOf } from '../phases/provides.ts';
import { hasRole, writesDown } from './membership.ts';
import type { OperationKind, PlanParts } from './operation-kind.ts';
import { maxQuarantined, quorumGroups } from './quorum-groups.ts';
import { windowsOf } from './windows.ts';

/** How a failed attempt is repeated before its host becomes `blocked`. */
export const RETRY = {
  // For what passes by itself within 1 + 2 + 4 s. A host that cannot be reached is the SSH pool's business.
  maximumAttempts: 4,
  initialIntervalMs: 1_000,
  maximumIntervalMs: 10_000,
  backoffCoefficient: 2,
} as const;

/**
 * A phase with the hosts that it would have in this cluster; null when it is switched off or has none. `out`: hosts that
 * no cluster-wide phase may run on.
 */
function placed(cluster: ClusterSpec, phase: Phase, out: readonly string[]): PlanPhase | null {
  const all =
    phase.hosts === 'controller' ? [CONTROLLER_HOST] : placementOf(cluster, phase.hosts).map((host) => host.name);
  const isOne = phase.hosts === 'one-control-plane';
  const able = isOne ? all.filter((host) => !out.includes(host)) : all;
  const hosts = isOne ? able.slice(0, 1) : able;
  const failoverHosts = isOne ? able.slice(1) : [];
  if (hosts.length === 0) return null;
  if (phase.enabled && !phase.enabled(cluster, phaseOptions(cluster, phase))) return null;
  if (phase.isIdle?.(cluster)) return null;
  const rollout = phase.rollout ?? 'together';
  return {
    name: phase.name,
    title: phase.title,
    hosts,
    needs: [...phase.needs],
    maxParallel: rollout === 'together' ? hosts.length : rollout === 'one-by-one' ? 1 : rollout,
    startToCloseMs: phase.timeouts.applyMs + phase.timeouts.verifyMs,
    expectedMs: phase.expectedMs,
    clusterWide: phase.hosts === 'one-control-plane' || phase.hosts === 'controller',
    ...(failoverHosts.length > 0 ? { standIns: failoverHosts } : {}),
    admits: phase.allowlistsPeers ? hostsWithRole(cluster, phase.allowlistsPeers).map(({ name }) => name) : [],
  };
}

/**
 * The plan of the kind's phases that are switched on, each on those of its hosts that `keep` lets through (the pseudo host of
 * worker-process phases always stays). Pure. Throws SPEC_INVALID on phases that exclude each other, QUORUM_WOULD_BREAK when
 * too few hosts would be in.
 */
export function planOfPhases(
  kind: Pick<OperationKind, 'effect' | 'phases'>,
  input: OperationInput,
  phases: readonly Phase[],
  { cluster, keep, rolls, handOver, leaving, out: given, ...more }: PlanParts & { cluster: ClusterSpec },
): Plan {
  const out = given ?? more.quarantined ?? [];
  const providers = enabledProviders(cluster, phases);
  const own = phases.flatMap((phase): Chosen[] => {
    if (kind.phases ? !kind.phases.includes(phase.name) : phase.onDemand) return [];
    if (phase.onlyWith !== undefined && !providers.some((each) => providesOf(each).includes(phase.onlyWith!)))
      return [];
    const whole = placed(cluster, phase, out);
    if (!whole || (input.phases !== undefined && !input.phases.includes(phase.name))) return [];
    const hosts = whole.hosts.filter((host) => host === CONTROLLER_HOST || keep(host, phase));
    return hosts.length === 0 ? [] : [{ phase, planned: { ...whole, hosts } }];
  });
  const first = handOver ? handedOver(cluster, phases, handOver) : [];
  const left = leaving ? withoutHosts(cluster, leaving.hosts) : cluster;
  const informed = leaving ? informedOf(cluster, phases, { left, out, leaving: leaving.hosts }) : [];
  const chosen = [...first, ...informed, ...own];
  const [conflict] = conflictsAmong(chosen.map(({ phase }) => phase));
  if (conflict) throw new KubewrightError('SPEC_INVALID', conflict);
  const inPlan = chosen.map(({ phase }) => phase);
  const needs = (phase: Phase): Need[] => [
    ...needsOf(phase, inPlan, providers),
    ...(first.some((each) => each.phase === phase) ? [] : everyHostOf(first)),
    ...(phase.name === leaving?.takenBack ? everyHostOf(informed) : []),
  ];
  const resolved = chosen.map(({ phase, planned }) => ({ phase, planned: { ...planned, needs: needs(phase) } }));
  const planned = plan.parse({
    planVersion: 1,
    cluster: input.cluster,
    kind: input.kind,
    specRef: input.specRef,
    mode: input.mode,
    phases: resolved.map(({ planned }) => planned),
    quarantined: [],
    quorum: quorumGroups(left, phases),
    policy: { onHostFailure: cluster.spec.policy.onHostFailure, maxQuarantined: maxQuarantined(cluster) },
    maxParallel: LIMITS.maxParallelTasks,
    tasksPerWorkflow: LIMITS.tasksPerWorkflow,
    heartbeatTimeoutMs: DEFAULT_TIMEOUTS.heartbeatMs,
    retry: RETRY,
    ...(rolls && input.mode === 'apply' ? windowed(windowsOf(resolved, { cluster: left, ...rolls })) : {}),
    ...(endsWithHealthCheck(kind, input)
      ? { health: { hosts: healthHosts(kind, input, { cluster, chosen, out }) } }
      : {}),
    ...more,
  } satisfies Plan);
  // A spec that changed since may count on a host that is out.
  const problem = quorumProblem(planned.quorum, new Set(planned.quarantined));
  if (problem) throw new KubewrightError(problem.code, problem.message);
  return planned;
}

/** A phase with its part of the plan. */
interface Chosen {
  phase: Phase;
  planned: PlanPhase;
}

/** The phase in which hosts hand over, on these of its hosts. */
const handedOver = (
  cluster: ClusterSpec,
  phases: readonly Phase[],
  { phase: name, hosts }: NonNullable<PlanParts['handOver']>,
): Chosen[] =>
  phases
    .filter((phase) => phase.name === name)
    .flatMap((phase): Chosen[] => {
      const planned = placed(cluster, phase, []);
      return planned ? [{ phase, planned: { ...planned, hosts: [...hosts] } }] : [];
    });

/**
 * Phases of builds that have written down a host that leaves `cluster`, or that need something which is another one without it (the
 * address of the API servers, the list of etcd members), each on its hosts that stay; with them those that admit it by its address.
 */
function informedOf(
  cluster: ClusterSpec,
  phases: readonly Phase[],
  { left, out, leaving }: { left: ClusterSpec; out: readonly string[]; leaving: readonly string[] },
): Chosen[] {
  const moved = changedOffers(cluster, left, phases);
  const isWritten = (phase: Phase) => writesDown(cluster, phase, leaving);
  // Who only lets it in has a task where others have one: the removal of a worker depends on no other host.
  const isKnown = phases.some((phase) => builds(phase) && isEnabled(cluster, phase) && isWritten(phase));
  return phases.flatMap((phase): Chosen[] => {
    const { allowlistsPeers } = phase;
    const follows = isWritten(phase) || phase.needs.some((need) => moved.includes(need.phase));
    const admits = (host: string) => isKnown && allowlistsPeers !== undefined && hasRole(left, host, allowlistsPeers);
    const planned = builds(phase) ? placed(left, phase, out) : null;
    if (!planned || planned.clusterWide) return [];
    const hosts = planned.hosts.filter((host) => !out.includes(host) && (follows || admits(host)));
    return hosts.length === 0 ? [] : [{ phase, planned: { ...planned, hosts, without: [...leaving] } }];
  });
}

const everyHostOf = (chosen: readonly Chosen[]): Need[] =>
  chosen.map(({ phase: { name } }) => ({ phase: name, on: 'every-host' }));

const windowed = (windows: PlanWindow[]) => (windows.length > 0 ? { windows } : {});

/** Pairs of these phases that exclude each other, in words. */
const conflictsAmong = (phases: readonly Phase[]): string[] => {
  const names = new Set(phases.map(({ name }) => name));
  return phases.flatMap(({ name, conflicts = [] }) =>
    conflicts
      .filter((other) => names.has(other))
      .map((other) => `phases ${name} and ${other} exclude each other: choose one`),
  );
};

/** Phases of a spec that exclude each other. Pure. */
export const conflictIssues = (cluster: ClusterSpec, phases: readonly Phase[]): FieldIssue[] =>
  conflictsAmong(phases.filter((phase) => !phase.onDemand && placed(cluster, phase, []))).map((message) => ({
    path: 'spec.phases',
    message,
  }));

/** Every operation that leaves a cluster behind ends with its health. */
const endsWithHealthCheck = ({ effect }: Pick<OperationKind, 'effect'>, { hosts }: OperationInput): boolean =>
  effect !== 'removes' || hosts !== undefined;

/** Every host that has a task, and the control planes, which know of the others; those first. */
function healthHosts(
  { effect }: Pick<OperationKind, 'effect'>,
  { hosts = [] }: OperationInput,
  { cluster, chosen, out }: { cluster: ClusterSpec; chosen: readonly { planned: PlanPhase }[]; out: readonly string[] },
): string[] {
  const left = new Set([...out, ...(effect === 'removes' ? hosts : [])]);
  const busy = new Set(chosen.flatMap(({ planned }) => planned.hosts));
  const planes = hostsWithRole(cluster, 'control-plane').map(({ name }) => name);
  const others = cluster.spec.hosts.map(({ name }) => name).filter((name) => busy.has(name) && !planes.includes(name));
  return [...planes, ...others].filter((name) => !left.has(name));
}

/** Names of the hosts in quarantine when the operation began that the spec still has, in its order. */
export function quarantinedOf(input: OperationInput, cluster: ClusterSpec): string[] {
  const out = new Set(input.quarantine?.map(({ host }) => host));
  return cluster.spec.hosts.map(({ name }) => name).filter((name) => out.has(name));
}

/**
 * The hosts that were asked for, by default all that are not in quarantine. Hosts in quarantine are left out unless they are
 * asked for by name.
 */
export function askedHosts(
  input: OperationInput,
  cluster: ClusterSpec,
): Required<Pick<PlanParts, 'keep' | 'quarantined'>> {
  const { hosts } = input;
  const quarantined = quarantinedOf(input, cluster).filter((name) => !hosts?.includes(name));
  const out = new Set(quarantined);
  return { keep: (host) => (hosts === undefined || hosts.includes(host)) && !out.has(host), quarantined };
}
