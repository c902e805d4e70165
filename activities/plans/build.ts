import type { ClusterSpec } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { WORKER_HOST } from '../../contracts/messages.ts';
import type { OperationInput } from '../../contracts/operation.ts';
import { type Plan, type PlanPhase, plan } from '../../contracts/plan.ts';
import { phaseOptions } from '../phases/options.ts';
import type { Phase } from '../phases/phase.ts';
import { placementOf } from '../phases/placement.ts';

/** How a failed attempt is repeated before its host becomes `blocked`. */
export const RETRY = {
  // 1 + 2 + 4 s of waiting: a restarted sshd is forgiven, and a dead host is named within half a minute.
  maximumAttempts: 4,
  initialIntervalMs: 1_000,
  maximumIntervalMs: 10_000,
  backoffCoefficient: 2,
} as const;

/** A worker that was killed is noticed after this long, and its tasks start again elsewhere. */
export const HEARTBEAT_TIMEOUT_MS = 15_000;

function planPhase(cluster: ClusterSpec, phase: Phase, only: OperationInput): PlanPhase | null {
  const placed = placementOf(cluster, phase.hosts).map((host) => host.name);
  const hosts =
    phase.hosts === 'worker-process'
      ? [WORKER_HOST]
      : placed.filter((name) => only.hosts === undefined || only.hosts.includes(name));
  if (hosts.length === 0) return null;
  if (only.phases !== undefined && !only.phases.includes(phase.name)) return null;
  if (phase.enabled && !phase.enabled(cluster, phaseOptions(cluster, phase))) return null;
  const rollout = phase.rollout ?? 'together';
  return {
    name: phase.name,
    title: phase.title,
    hosts,
    needs: [...phase.needs],
    maxParallel: rollout === 'together' ? hosts.length : rollout === 'one-by-one' ? 1 : rollout,
    startToCloseMs: phase.timeouts.applyMs + phase.timeouts.verifyMs,
    expectedMs: phase.expectedMs,
  };
}

/** Resolve an operation to data. Pure: the spec and the phases in, the plan out. Throws SPEC_INVALID on a conflict. */
export function makeBuildPlan(input: OperationInput, cluster: ClusterSpec, phases: readonly Phase[]): Plan {
  const chosen = phases.flatMap((phase) => {
    const planned = planPhase(cluster, phase, input);
    return planned ? [{ phase, planned }] : [];
  });
  const names = new Set(chosen.map(({ phase }) => phase.name));
  for (const { phase } of chosen) {
    const clash = phase.conflicts?.find((other) => names.has(other));
    if (clash) {
      throw new KubewrightError('SPEC_INVALID', `phases ${phase.name} and ${clash} exclude each other: choose one`);
    }
  }
  return plan.parse({
    planVersion: 1,
    cluster: input.cluster,
    kind: input.kind,
    specRef: input.specRef,
    mode: input.mode,
    phases: chosen.map(({ planned }) => planned),
    maxParallel: LIMITS.maxParallelTasks,
    heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
    retry: RETRY,
  } satisfies Plan);
}
