import { DROP_CHAINS } from '../../kube/packet-filter.ts';
import { DROP_IPVS, DROP_NFTABLES } from './other-modes.ts';

/**
 * Rules of kubelet and kube-proxy in whichever mode, and settings that they changed. Arguments: what the witness saw
 * (packet-filter.ts), empty when it saw nothing, and which settings are the host's own: `net/` in a container, where the
 * others are those of the whole machine.
 */
export const NODE_TEARDOWN = `${DROP_CHAINS}
kw_seen=$1 kw_own=$2
kw_drop_chains '^KUBE-'
# Hosts' ports of pods are in chains of the CNI plugin portmap, which other runtimes may use as well.
kw_drop_portmap kubewright
${DROP_NFTABLES}
${DROP_IPVS}
kw_drop_empty_tables "$kw_seen"
printf '%s\\n' "$kw_seen" | while read -r kw_word kw_name kw_was; do
  [ "$kw_word" = sysctl ] && [ -e "/proc/sys/$kw_name" ] || continue
  case $kw_name in "$kw_own"*) ;; *) continue ;; esac
  KW_KEY=sysctls:$(printf '%s' "$kw_name" | tr / .)
  [ "$(cat "/proc/sys/$kw_name")" = "$kw_was" ] || { printf '%s\\n' "$kw_was" >"/proc/sys/$kw_name" && kw_tell restored "$kw_was"; } || exit 1
done
`;
