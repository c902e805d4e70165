import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Phase } from '../phases/phase.ts';
import { type PlanMaker, planOfPhases, quarantinedOf } from './plan-phases.ts';

/**
 * A whole cluster: every host, those in quarantine too, side by side; then what the store keeps of it. Given hosts: their
 * nodes leave the cluster through a control plane, then they are taken back. No quorum binds either: which hosts may leave
 * is asked before, and one that is away may always be left out.
 */
export const makeTeardownPlan: PlanMaker = (input, cluster, phases) => {
  const { hosts } = input;
  if (hosts === undefined) {
    const keep = (_host: string, phase: Phase) => phase.hosts !== 'one-control-plane';
    return planOfPhases(input, ordered(cluster), phases, keep, { quorum: [] });
  }
  const quarantined = quarantinedOf(input, cluster).filter((name) => !hosts.includes(name));
  return planOfPhases(
    input,
    cluster,
    phases,
    (host, phase) => phase.hosts === 'one-control-plane' || hosts.includes(host),
    { focus: [...hosts], quorum: [], quarantined },
    [...quarantined, ...hosts],
  );
};

/** Workers first, etcd last: what is torn down half-way still answers. */
function ordered(cluster: ClusterSpec): ClusterSpec {
  const rank = ({ roles }: ClusterSpec['spec']['hosts'][number]) =>
    roles.includes('etcd') ? 2 : roles.includes('control-plane') ? 1 : 0;
  const hosts = [...cluster.spec.hosts].sort((a, b) => rank(a) - rank(b));
  return { ...cluster, spec: { ...cluster.spec, hosts } };
}
