import type { Change } from '../../../contracts/operation.ts';
import type { PhaseRun } from '../phase.ts';
import { CNI_CONFLIST } from './config.ts';

/**
 * sh: the bridge of the pods and the links of pods that run get the MTU of the network configuration. A bridge has the smallest MTU
 * of its ports: with pods from before a larger MTU, packets of that size would not reach any pod of the node. Prints `<before> <MTU>` when
 * something differed.
 */
export const LINKS_FOLLOW = `
mtu=$(sed -n 's/.*"mtu":\\([0-9]*\\).*/\\1/p' ${CNI_CONFLIST} 2>/dev/null) || exit 0
read -r was 2>/dev/null </sys/class/net/cni0/mtu && [ -n "$mtu" ] || exit 0
differs= ports=' '
for port in /sys/class/net/cni0/brif/*; do
  port=\${port##*/}
  # A pod may end at any moment.
  read -r index 2>/dev/null <"/sys/class/net/$port/ifindex" && read -r has 2>/dev/null <"/sys/class/net/$port/mtu" || continue
  ports="$ports$index "
  [ "$has" = "$mtu" ] || { differs=yes; ip link set dev "$port" mtu "$mtu" 2>/dev/null || :; }
done
[ "$was" = "$mtu" ] || ip link set dev cni0 mtu "$mtu"
[ -z "$differs" ] || for pod in /run/netns/*; do
  pod=\${pod##*/}
  peer=$(ip -n "$pod" -o link show dev eth0 2>/dev/null | sed -n 's/^[0-9]*: eth0@if\\([0-9]*\\):.*/\\1/p')
  case $ports in *" \${peer:-none} "*) ip -n "$pod" link set dev eth0 mtu "$mtu" 2>/dev/null || : ;; esac
done
[ "$was$differs" = "$mtu" ] || echo "$was $mtu"
`;

/** After a change of the MTU. Pods of a runtime that keeps no names of their networks (Docker) have it when they are made anew. */
export async function linksFollow({ remote, verified }: PhaseRun<unknown>): Promise<Change[]> {
  if (verified) return [];
  const { stdout } = await remote.script(LINKS_FOLLOW, [], { timeoutMs: 60_000 });
  const [before, after] = stdout.trim().split(' ');
  if (after === undefined) return [];
  return [{ resource: 'link:cni0', action: 'update', detail: `MTU ${before} becomes ${after}` }];
}
