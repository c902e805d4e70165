import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { PlanPhase, PlanWindow } from '../../contracts/plan.ts';
import type { Disruption, Phase } from '../phases/phase.ts';

/** Hosts that may be changed at once: a number, or a percentage (`10%`) of those that serve, rounded down, one at least. */
export type WindowSizes = Readonly<Record<Disruption, number | string>>;

/**
 * The windows of a plan: one for each thing that its phases disrupt, over the hosts that serve already. A cluster that is
 * founded has none, and a host that is new is in none. Pure.
 */
export function windowsOf(
  phases: readonly { phase: Phase; planned: PlanPhase }[],
  { cluster, served, sizes }: { cluster: ClusterSpec; served: readonly string[]; sizes: WindowSizes },
): PlanWindow[] {
  const serving = new Set(served);
  return (Object.keys(sizes) as Disruption[]).flatMap((what) => {
    const own = phases.filter(({ phase }) => phase.disrupts === what);
    const named = new Set(own.flatMap(({ planned }) => planned.hosts));
    const hosts = cluster.spec.hosts.map(({ name }) => name).filter((name) => named.has(name) && serving.has(name));
    if (hosts.length === 0) return [];
    return [{ what, phases: own.map(({ planned }) => planned.name), hosts, atMost: atMost(sizes[what], hosts.length) }];
  });
}

function atMost(size: WindowSizes[Disruption], hosts: number): number {
  if (typeof size === 'number') return size;
  return Math.max(1, Math.floor((Number.parseFloat(size) * hosts) / 100));
}
