import { type ClusterSpec, hostsWithRole } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import { kindOf } from '../resources/engine/resource-kinds.ts';
import type { Resource } from '../resources/resource.ts';
import { phaseOptions } from './options.ts';
import type { KeepsRunning, Phase, PhaseContext, PhaseRun } from './phase.ts';
import { placementOf } from './placement.ts';

/** True when the cluster's spec leaves the phase switched on. */
export const isEnabled = (cluster: ClusterSpec, phase: Phase): boolean =>
  phase.enabled === undefined || phase.enabled(cluster, phaseOptions(cluster, phase));

/** What a phase that is on keeps running. Throws SPEC_INVALID on wrong options. Pure. */
export const keptRunning = (cluster: ClusterSpec, phase: Phase): KeepsRunning => {
  const { keepsRunning = {} } = phase;
  return typeof keepsRunning === 'function'
    ? keepsRunning({ cluster, options: phaseOptions(cluster, phase) })
    : keepsRunning;
};

/** True for a phase that builds something; others are planned by the operation kinds that name them. */
export const builds = (phase: Phase): boolean => phase.onDemand !== true;

/** Could this host have a task of the phase? True for each control plane of a phase that runs on one of them. */
export const isPlaced = (cluster: ClusterSpec, phase: Pick<Phase, 'hosts'>, host: Host): boolean =>
  placementOf(cluster, phase.hosts).some(({ name }) => name === host.name);

/** What another phase's functions are given, for a look at what it desires on a host. It changes nothing. */
export function contextOf(run: PhaseRun<unknown>, phase: Phase, host: Host = run.host): PhaseContext<unknown> {
  return {
    ...run,
    host,
    peers: phase.hosts === 'one-control-plane' ? [host] : placementOf(run.cluster, phase.hosts),
    offer: (capability, other = host) => run.offer(capability, other),
    options: phaseOptions(run.cluster, phase, host),
    mode: 'check',
  };
}

/** Resources with their owner written on them, for the kinds that carry it. */
export const ownedBy = (cluster: ClusterSpec, phase: string, resources: readonly Resource[]): Resource[] =>
  resources.map((resource) => {
    const owner = { cluster: cluster.metadata.name, phase };
    return kindOf(resource).ownedBy?.(resource, owner) ?? resource;
  });

/** What all enabled phases desire on the task's host. Throws the error of a phase that cannot list its resources (for example, its mirror is down). */
export async function desiredOnHost(run: PhaseRun<unknown>): Promise<Resource[]> {
  const phases = [...run.phases.values()].filter(
    (phase) => builds(phase) && isPlaced(run.cluster, phase, run.host) && isEnabled(run.cluster, phase),
  );
  const each = await Promise.all(phases.map(async (phase) => (await phase.resources?.(contextOf(run, phase))) ?? []));
  return each.flat();
}

/**
 * What all enabled phases desire, each on one of its hosts: the task's host where it is one of them. For what is the same
 * on all hosts, as objects in the cluster.
 */
export async function desiredOnce(run: PhaseRun<unknown>): Promise<{ phase: Phase; resources: Resource[] }[]> {
  const { cluster } = run;
  const found: { phase: Phase; resources: Resource[] }[] = [];
  for (const phase of run.phases.values()) {
    if (!builds(phase) || !isEnabled(cluster, phase)) continue;
    const host = isPlaced(cluster, phase, run.host) ? run.host : placementOf(cluster, phase.hosts)[0];
    if (!host && phase.hosts !== 'controller') continue;
    const context = contextOf(run, phase, host ?? hostsWithRole(cluster, 'control-plane')[0]);
    found.push({ phase, resources: ownedBy(cluster, phase.name, (await phase.resources?.(context)) ?? []) });
  }
  return found;
}
