import type { Need, Plan, PlanPhase } from '../../contracts/plan.ts';

/** A phase of a test plan, in short. */
export interface PhaseSketch {
  name: string;
  hosts: string[];
  needs?: Need[];
  maxParallel?: number;
  clusterWide?: boolean;
  admits?: string[];
  standIns?: string[];
  without?: string[];
}

export const SPEC_REF = 'a'.repeat(64);

/** A valid plan from a sketch. Retries are immediate: tests never wait for a back-off. */
export function planOf(cluster: string, phases: PhaseSketch[], more: Partial<Plan> = {}): Plan {
  return {
    planVersion: 1,
    cluster,
    kind: 'build',
    specRef: SPEC_REF,
    mode: 'apply',
    quarantined: [],
    quorum: [],
    policy: { onHostFailure: 'wait', maxQuarantined: 0 },
    maxParallel: 100,
    tasksPerWorkflow: 500,
    heartbeatTimeoutMs: 5_000,
    retry: { maximumAttempts: 2, initialIntervalMs: 1, maximumIntervalMs: 1, backoffCoefficient: 1 },
    ...more,
    phases: phases.map(
      ({
        name,
        hosts,
        needs = [],
        maxParallel = 1000,
        clusterWide = false,
        admits = [],
        standIns,
        without,
      }): PlanPhase => ({
        name,
        title: name,
        hosts,
        needs,
        maxParallel,
        startToCloseMs: 60_000,
        expectedMs: 1,
        clusterWide,
        admits,
        ...(standIns ? { standIns } : {}),
        ...(without ? { without } : {}),
      }),
    ),
  };
}

export const sameHost = (phase: string): Need => ({ phase, on: 'same-host' });
export const everyHost = (phase: string): Need => ({ phase, on: 'every-host' });
export const quorum = (phase: string): Need => ({ phase, on: 'quorum' });
export const anyHost = (phase: string): Need => ({ phase, on: 'any-host' });
