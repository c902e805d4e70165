import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { handingOver, hasRole } from '../membership.ts';
import { defineOperation, someHosts } from '../operation-kind.ts';
import { quarantinedOf } from '../plan-phases.ts';
import { requireRemovable } from '../removable.ts';
import { rollingSizes } from '../windows.ts';

/**
 * A whole cluster: every host, those in quarantine too, side by side; then what the store keeps of it. Given hosts: they hand over
 * what only one host has at a time, the others forget where they are, their nodes leave the cluster through a control plane, then
 * everything is taken back from them. The guard checks which hosts may be removed. A leaving host that is down may always be
 * excluded; what quarantine must leave is asked of the others.
 */
export default defineOperation({
  name: 'teardown',
  title: 'takes back everything that Kubewright placed',
  role: 'operator',
  modes: ['apply', 'check'],
  request: someHosts,
  routes: [
    {
      path: '',
      role: 'admin',
      operationId: 'deleteCluster',
      summary: 'Delete a cluster: remove everything that Kubewright placed on its hosts. Needs ?confirm=<name>',
    },
    {
      path: '/hosts/:host',
      role: 'operator',
      operationId: 'deleteHost',
      summary:
        'Remove a host: drain it, delete its node, remove everything that Kubewright placed there, and delete it from the spec',
    },
    {
      path: '/hosts',
      role: 'operator',
      operationId: 'deleteHosts',
      summary:
        'Remove several hosts in one operation (?hosts=a,b): as one host, and their etcd members leave one after the other. Two of three or five members can leave only so',
    },
  ],
  confirm: true,
  effect: 'removes',
  clusterStates: { running: 'removing', failed: 'failed', stopped: 'incomplete' },
  phases: ['remove-node', 'remove-member', 'teardown', 'forget'],

  async guard({ spec, request: { hosts } }, world) {
    if (hosts) await requireRemovable(spec, [...new Set(hosts)], world);
  },

  plan(input, cluster, { served, phases }) {
    const { hosts } = input;
    if (hosts === undefined) {
      return { keep: (_host, phase) => phase.hosts !== 'one-control-plane', cluster: etcdLast(cluster), quorum: [] };
    }
    const quarantined = quarantinedOf(input, cluster).filter((name) => !hosts.includes(name));
    const handOver = handingOver(cluster, hosts, phases);
    const hasMember = hosts.some((host) => hasRole(cluster, host, 'etcd'));
    return {
      keep: (host, phase) =>
        phase.hosts === 'one-control-plane' ? phase.name !== 'remove-member' || hasMember : hosts.includes(host),
      ...{ focus: [...hosts], quarantined },
      out: [...quarantined, ...hosts],
      ...(handOver.length > 0 ? { handOver: { phase: 'hand-over', hosts: handOver } } : {}),
      leaving: { hosts, takenBack: hasMember ? 'remove-member' : 'teardown' },
      rolls: { served, sizes: rollingSizes(cluster) },
    };
  },
});

/** Workers first, etcd last: what is torn down half-way still answers. */
function etcdLast(cluster: ClusterSpec): ClusterSpec {
  const rank = ({ roles }: ClusterSpec['spec']['hosts'][number]) =>
    roles.includes('etcd') ? 2 : roles.includes('control-plane') ? 1 : 0;
  const hosts = [...cluster.spec.hosts].sort((a, b) => rank(a) - rank(b));
  return { ...cluster, spec: { ...cluster.spec, hosts } };
}
