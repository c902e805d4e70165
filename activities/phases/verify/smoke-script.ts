import { linesKeepEnds } from '../../../contracts/cut.ts';
import { makeTemporary } from '../../host/fence.ts';
import { PACKETS_FUNCTION, POD_PACKETS_FUNCTION } from '../../kube/packet-size.ts';
import { SILENT_FUNCTION } from './checks.ts';

/**
 * The smoke test as one script on a control plane: `<manifests as JSON> <name> <url of the service> <neighbours> <nodes, as 'silent' wants them> <MTU of pods by the spec, or nothing> <node>...`.
 * Prints `failed <check> <from> <to> <what>` per failure, tab-separated, and ends with `end`; `silent <node>` when the
 * wait for pods is a wait for a machine that is down. Everything that it made is
 * gone afterwards.
 */
export const SMOKE_SCRIPT = `${SILENT_FUNCTION}${PACKETS_FUNCTION}
manifests=$1 name=$2 url=$3 neighbours=$4 audible=$5 mtu=$6
shift 6
tmp=$(${makeTemporary('-d')})
k() { kubectl -n kube-system "$@"; }
cleanup() {
  rm -rf -- "$tmp"
  k delete daemonset,service "$name" --ignore-not-found --wait=false >/dev/null 2>&1 || :
}
trap cleanup EXIT
trap 'exit 143' HUP INT TERM PIPE
failed() { printf 'failed\\t%s\\t%s\\t%s\\t%s\\n' "$@"; }

# An API server that starts is asked again.
tries=0
until says=$(kubectl get --raw /readyz 2>&1); do
  tries=$((tries + 1))
  [ "$tries" -lt 30 ] || { failed api "$(uname -n)" apiserver "$(printf '%s' "$says" | tr '\\n\\t' '  ')"; echo end; exit; }
  sleep 1
done

printf '%s' "$manifests" | kubectl apply --server-side --force-conflicts --field-manager=kubewright -f - >/dev/null
deadline=$(($(date +%s) + 90))
until k rollout status "daemonset/$name" --timeout=5s >/dev/null 2>&1; do
  gone=$(silent "$audible")
  if [ -n "$gone" ]; then
    printf 'silent\\t%s\\n' $gone
    echo end
    exit
  fi
  [ "$(date +%s)" -lt "$deadline" ] || break
done
if ! k rollout status "daemonset/$name" --timeout=1s >/dev/null 2>&1; then
  k get pods -l "app=$name" --no-headers -o custom-columns=N:.spec.nodeName,S:.status.phase,R:.status.containerStatuses[0].state.waiting.reason,M:.status.containerStatuses[0].state.waiting.message 2>&1 |
    grep -v ' Running ' | while read -r node what; do failed pod "$node" "$node" "$what"; done
  k get events --field-selector type=Warning --sort-by .lastTimestamp --no-headers -o custom-columns=O:.involvedObject.name,M:.message 2>&1 |
    grep "^$name-" | tail -n 2 | ${linesKeepEnds(400)} | while read -r pod what; do failed event "$pod" "$pod" "$what"; done
  failed pods all all 'not every node runs its test pod within 90 s'
fi
# An empty list would test nothing.
tries=0
until k get pods -l "app=$name" --field-selector status.phase=Running --no-headers \\
  -o custom-columns=N:.spec.nodeName,P:.metadata.name,I:.status.podIP >"$tmp/list" 2>"$tmp/list.err"; do
  tries=$((tries + 1))
  [ "$tries" -lt 30 ] || { failed api "$(uname -n)" apiserver "$(tr '\\n\\t' '  ' <"$tmp/list.err" | cut -c1-300)"; break; }
  sleep 1
done
sort <"$tmp/list" >"$tmp/pods"
for node in "$@"; do
  grep -q "^$node " "$tmp/pods" || failed pod "$node" "$node" 'no test pod of this node is listed'
done

# From this node to the others, while the pods are at it: as large as the own link there lets them be. A router that says how much
# passes is no fault: senders follow it.
between_nodes() {
  printf '%s\\n' "$audible" | {
    asked=0
    while read -r node address; do
      [ -n "$address" ] || continue
      (
        route=$(ip -4 -o route get "$address" 2>/dev/null | head -n 1)
        link=\${route#* dev } link=\${link%% *}
        bytes=$(cat "/sys/class/net/$link/mtu" 2>/dev/null) || exit 0
        found=$(packets "$address" "$bytes")
        case $found in *' ') failed node-mtu "$(uname -n)" "$node" "\${found%% *} $bytes" ;; esac
      ) &
      asked=$((asked + 1))
      [ $((asked % 50)) -ne 0 ] || wait
    done
    wait
  }
}
between_nodes >"$tmp/nodes.mtu" &
between=$!

# In each pod: every neighbour's pod by address, then with packets as large as its link; then the service by name. A route or a rule may be some ms behind.
cat >"$tmp/inside" <<'INSIDE'
from=$1 url=$2 wanted=$3
shift 3
failed() { printf 'failed\\t%s\\t%s\\t%s\\t%s\\n' "$@"; }
# Together at most 15 s of trying again; after that every target still gets one try.
deadline=$(($(date +%s) + 15))
try() {
  until says=$(timeout 2 wget -q -O - "$1" 2>&1) && case "$says" in $2) ;; *) false ;; esac; do
    [ "$(date +%s)" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}
${POD_PACKETS_FUNCTION}
[ -z "$wanted" ] || [ -z "$link_mtu" ] || [ "$link_mtu" = "$wanted" ] || failed link-mtu "$from" "$from" "$link_mtu $wanted"
searched=
while [ $# -gt 1 ]; do
  if try "http://$2:8080/" "$1"; then
    # The search takes seconds: for one neighbour it says enough.
    if [ -n "$link_mtu" ] && [ -z "$searched" ]; then
      largest=$(packets "$2" "$link_mtu")
      [ -z "$largest" ] || { failed pod-mtu "$from" "$1" "$largest $link_mtu"; searched=1; }
    fi
  else
    failed pod-network "$from" "$1" "$2: \${says:-no answer}"
  fi
  shift 2
done
try "$url" '?*' || failed service-by-name "$from" "$url" "\${says:-no answer}"
echo "done $from"
INSIDE
exec_one() {
  targets=$(awk -v me="$1" -v n="$neighbours" '{ node[NR] = $1; ip[NR] = $3; if ($1 == me) at = NR }
    END { for (i = 1; i < NR && i <= n; i++) { j = (at + i - 1) % NR + 1; print node[j], ip[j] } }' "$tmp/pods")
  # Unquoted: names and addresses, each a word of its own.
  k exec -i "$2" -- sh -s "$1" "$url" "$mtu" $targets <"$tmp/inside" >"$tmp/out.$1" 2>"$tmp/err.$1" || :
  grep -q "^done $1" "$tmp/out.$1" || failed exec "$1" "$1" "$(tr '\\n\\t' '  ' <"$tmp/err.$1" | ${linesKeepEnds(300)})"
  grep '^failed' "$tmp/out.$1" || :
}
pids=
running=0
while read -r node pod _; do
  exec_one "$node" "$pod" >"$tmp/result.$node" &
  pids="$pids $!"
  running=$((running + 1))
  [ $((running % 10)) -ne 0 ] || { for pid in $pids; do wait "$pid" || :; done; pids=; }
done <"$tmp/pods"
for pid in $pids; do wait "$pid" || :; done
wait "$between" || :
cat "$tmp"/result.* "$tmp/nodes.mtu" 2>/dev/null || :
echo end
`;
