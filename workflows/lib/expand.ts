import type { ErrorCode, ErrorReport } from '../../contracts/errors.ts';
import type { Plan } from '../../contracts/plan.ts';

/** One task of the graph: a phase on a host. */
export interface GraphTask {
  /** `<phase>:<host>`; unique in a plan. */
  key: string;
  phase: string;
  host: string;
  /** Place in the fixed order: phases as planned, hosts as in the spec. */
  order: number;
}

export const taskKey = (phase: string, host: string): string => `${phase}:${host}`;

/** The tasks of a plan in their fixed order. Expansion is part of replay: a change needs a new planVersion or patched(). */
export function expand(plan: Plan): GraphTask[] {
  return plan.phases
    .flatMap(({ name, hosts }) => hosts.map((host) => ({ key: taskKey(name, host), phase: name, host })))
    .map((task, order) => ({ ...task, order }));
}

/** Why a plan cannot be run, or null: a phase named twice, a host twice in a phase, needs in a circle. */
export function planProblem(plan: Plan): ErrorReport | null {
  const problem = (message: string): ErrorReport => ({ code: 'INTERNAL' satisfies ErrorCode, message });
  const names = plan.phases.map((phase) => phase.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return problem(`the plan holds phase ${twice} twice`);
  for (const { name, hosts } of plan.phases) {
    if (new Set(hosts).size !== hosts.length) return problem(`phase ${name} holds a host twice`);
  }
  const circle = findCircle(plan);
  return circle ? problem(`the plan's phases need each other in a circle: ${circle.join(' needs ')}`) : null;
}

/** Names along a circle of needs, first and last the same, or null. Judged per phase, whatever the hosts. */
function findCircle(plan: Plan): string[] | null {
  const needs = new Map(plan.phases.map((phase) => [phase.name, phase.needs.map((need) => need.phase)]));
  const resolved = new Set<string>();
  const visit = (name: string, path: string[]): string[] | null => {
    if (resolved.has(name) || !needs.has(name)) return null;
    const seen = path.indexOf(name);
    if (seen >= 0) return [...path.slice(seen), name];
    for (const next of needs.get(name) ?? []) {
      const circle = visit(next, [...path, name]);
      if (circle) return circle;
    }
    resolved.add(name);
    return null;
  };
  for (const { name } of plan.phases) {
    const circle = visit(name, []);
    if (circle) return circle;
  }
  return null;
}
