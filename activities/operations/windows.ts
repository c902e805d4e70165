import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Need, PlanPhase, PlanWindow } from '../../contracts/plan.ts';
import { isEnabled } from '../phases/desired.ts';
import { phaseOptions } from '../phases/options.ts';
import type { Disruption, Phase } from '../phases/phase.ts';

/**
 * Hosts that may be changed at once: a number, or a percentage (`10%`) of those that serve, rounded down, one at least. In the
 * order in which a running cluster is changed: what others connect to comes before them.
 */
export type WindowSizes = Readonly<Record<Disruption, number | string>>;

/**
 * Members, API servers and load balancers one after the other: of three members, two have to serve. What leads a host to the API
 * servers on all hosts, for it is read and not stopped. Then of the nodes, which connect to all of them, what the policy allows.
 */
export const rollingSizes = ({ spec }: ClusterSpec): WindowSizes => ({
  etcd: 1,
  'control-plane': 1,
  'load-balancer': 1,
  endpoint: '100%',
  node: spec.policy.maxUnavailableNodes ?? '10%',
});

/**
 * The windows of a plan: one for each thing that its phases disrupt, over the hosts that serve already. A cluster that is
 * founded has none. A host that is new is in none; where others have to know it first, it begins after them. A phase whose change
 * since `before` all hosts have to make at the same time is in none either. Pure.
 */
export function windowsOf(
  phases: readonly { phase: Phase; planned: PlanPhase }[],
  {
    cluster,
    served,
    sizes,
    before = null,
  }: { cluster: ClusterSpec; served: readonly string[]; sizes: WindowSizes; before?: ClusterSpec | null },
): PlanWindow[] {
  const together = (phase: Phase): boolean => {
    if (!before || !phase.changesTogether || !isEnabled(before, phase)) return false;
    return phase.changesTogether({ before: phaseOptions(before, phase), after: phaseOptions(cluster, phase) });
  };
  const serving = new Set(served);
  const order = Object.keys(sizes) as Disruption[];
  const found: PlanWindow[] = [];
  const earlier = (what: Disruption): Need[] => {
    // What waits for a phase of this window on the same host would wait for itself: static pods for the runtime of their host, and
    // names in a window that waits for these pods.
    const waiting = waitingOnHost(
      [...phases.map(({ planned }) => planned), ...found.flatMap(afterOf)],
      phases.flatMap(({ phase, planned }) => (phase.disrupts === what ? [planned.name] : [])),
    );
    return phases.flatMap(({ phase: { disrupts }, planned }) =>
      disrupts !== undefined && order.indexOf(disrupts) < order.indexOf(what) && !waiting.has(planned.name)
        ? [{ phase: planned.name, on: 'every-host' as const }]
        : [],
    );
  };
  for (const what of order) {
    const own = phases.filter(({ phase }) => phase.disrupts === what && !together(phase));
    const named = new Set(own.flatMap(({ planned }) => planned.hosts));
    const hosts = cluster.spec.hosts.map(({ name }) => name).filter((name) => named.has(name) && serving.has(name));
    if (hosts.length === 0) continue;
    const after = earlier(what);
    const joining = own.flatMap(({ phase, planned }) =>
      phase.joinsLast ? planned.hosts.filter((name) => !serving.has(name)) : [],
    );
    found.push({
      ...{ what, phases: own.map(({ planned }) => planned.name), hosts, atMost: atMost(sizes[what], hosts.length) },
      ...(joining.length > 0 ? { joining: [...new Set(joining)] } : {}),
      ...(after.length > 0 ? { after } : {}),
    });
  }
  return found;
}

/** What the phases of a window wait for before its first host is changed: with every other host, their own. Pure. */
const afterOf = ({ phases, after = [] }: PlanWindow): Pick<PlanPhase, 'name' | 'needs'>[] =>
  phases.map((name) => ({ name, needs: after.map(({ phase }) => ({ phase, on: 'same-host' as const })) }));

/** Names of the phases whose task on a host waits for one of these there, straight or by others. Pure. */
function waitingOnHost(phases: readonly Pick<PlanPhase, 'name' | 'needs'>[], names: readonly string[]): Set<string> {
  const found = new Set(names);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const { name, needs } of phases)
      if (needs.some(({ phase, on }) => on === 'same-host' && found.has(phase))) found.add(name);
  }
  return found;
}

function atMost(size: WindowSizes[Disruption], hosts: number): number {
  if (typeof size === 'number') return size;
  return Math.max(1, Math.floor((Number.parseFloat(size) * hosts) / 100));
}
