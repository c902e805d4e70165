import type { Plan } from '../../contracts/plan.ts';
import type { Timeouts } from '../../contracts/timeouts.ts';

/** The same plan with the configured times of this installation. In the plan, so that a running operation keeps its own. */
export function withTimeouts(plan: Plan, { heartbeatMs, taskMs }: Timeouts): Plan {
  return {
    ...plan,
    heartbeatTimeoutMs: heartbeatMs,
    phases: plan.phases.map((phase) => ({
      ...phase,
      startToCloseMs: Math.min(phase.startToCloseMs, taskMs ?? phase.startToCloseMs),
    })),
  };
}
