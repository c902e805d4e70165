import { hostsWithRole } from '../../../contracts/cluster.ts';
import { lostMajority, unreachableMember } from '../../kube/etcd-majority.ts';
import { type EtcdMemberState, parseEtcdState } from '../../kube/etcd-state.ts';
import { defineHealthCheck, rowsOf, shortened } from '../view.ts';

/** etcd has a majority; each member is asked on its own host. Before everything else: without it nothing else can be well. */
export default defineHealthCheck(5, ({ cluster, hosts, out }) => {
  const members: EtcdMemberState[] = [];
  for (const { name } of hostsWithRole(cluster, 'etcd')) {
    const view = hosts.find(({ host }) => host.name === name);
    const row = view?.rows ? rowsOf(view.rows, 'etcd-state')[0] : undefined;
    if (row) members.push(parseEtcdState(row));
    else if (out.has(name)) members.push(unreachableMember(name, 'it is in quarantine'));
    else if (view?.rows === null) members.push(unreachableMember(name, view.why ?? 'it does not answer'));
    // Not all of it was looked at.
    else return [];
  }
  const lost = lostMajority(members);
  if (lost === null) return [];
  return [{ code: 'ETCD_QUORUM_LOST', subject: 'etcd', reason: lost.message, evidence: shortened(lost.evidence) }];
});
