import { type ClusterSpec, hostsWithRole, internalAddress, sshTarget } from '../../../../contracts/cluster.ts';
import type { Host, Role } from '../../../../contracts/host.ts';
import { defineCheck } from '../check.ts';

/** Hosts of which this one must reach at least `least`. */
interface PeerGroup {
  what: string;
  /** address:port */
  peers: string[];
  least: number;
}

/**
 * The hosts that this one depends on. A majority is enough of control planes and etcd members, and no worker is in it:
 * one dead host stops its own tasks, not those of all hosts.
 */
function peerGroups({ cluster, host }: { cluster: ClusterSpec; host: Host }): PeerGroup[] {
  const group = (role: Role, what: string, least: (count: number) => number): PeerGroup[] => {
    const all = hostsWithRole(cluster, role);
    const others = all.filter((each) => each.name !== host.name);
    // The host reaches itself.
    const needed = least(all.length) - (all.length - others.length);
    if (others.length === 0 || needed <= 0) return [];
    const peers = others.map((each) => `${internalAddress(each)}:${sshTarget(cluster, each).port}`);
    return [{ what, peers, least: needed }];
  };
  const majority = (count: number) => Math.floor(count / 2) + 1;
  return [
    ...group('control-plane', 'control planes', majority),
    ...(host.roles.includes('etcd') || host.roles.includes('control-plane')
      ? group('etcd', 'etcd members', majority)
      : []),
    ...group('registry', 'registry host', () => 1),
    ...group('time-server', 'time servers', () => 1),
  ];
}

export default defineCheck({
  name: 'peers',
  about: 'network',
  title: 'Other hosts of the cluster',
  inspects:
    'ICMP echo and a TCP connection to the SSH port of control planes, etcd members, registry and time servers, within 2 s, from every host. A majority of control planes and etcd members is enough.',
  codes: ['NETWORK_UNREACHABLE'],
  probe: {
    script: `
for peer; do
  address=\${peer%:*} port=\${peer##*:}
  { ping -n -q -c 1 -W 2 "$address" >/dev/null 2>&1 && say "$peer" ping; } &
  {
    answer=$(timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$address" "$port" 2>&1) && answer=open
    case $answer in
      open) say "$peer" open ;;
      *refused*) say "$peer" refused ;;
    esac
  } &
done
wait`,
    args: (of) => [...new Set(peerGroups(of).flatMap(({ peers }) => peers))],
  },
  evaluate(of, rows) {
    const reached = new Set(rows.map(([peer]) => peer));
    return peerGroups(of).flatMap(({ what, peers, least }) => {
      const unreachable = peers.filter((peer) => !reached.has(peer));
      const count = peers.length - unreachable.length;
      if (count >= least) return [];
      return [
        {
          code: 'NETWORK_UNREACHABLE' as const,
          message: `${what}: ${count} of ${peers.length} can be reached, at least ${least} must be`,
          evidence: `no answer within 2 s to ping or TCP: ${unreachable.slice(0, 20).join(', ')}`,
        },
      ];
    });
  },
});
