import { makeTemporary } from '../../host/fence.ts';
import { KUBECTL_ENV } from '../../kube/kubectl.ts';
import type { PhaseRun } from '../phase.ts';
import { NODE_LABELS, NODE_NAME } from './manifests/node.ts';

/**
 * Waits until a changed DaemonSet is on every node that is Ready: all of its pods at once, or few after another, as the DaemonSet says. Throws
 * WORKLOAD_NOT_READY with the nodes that lack it.
 */
export async function waitUntilRolled({ remote, fail }: PhaseRun<unknown>): Promise<void> {
  const selector = Object.entries(NODE_LABELS)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const { code, stdout } = await remote.script(ROLLED, [NODE_NAME, selector, '180'], {
    env: KUBECTL_ENV,
    okCodes: 'any',
    timeoutMs: 16 * 60_000,
  });
  if (code !== 0) fail('WORKLOAD_NOT_READY', `${NODE_NAME} is not renewed on every node that is Ready`, stdout);
}

/**
 * `<DaemonSet> <its labels> <seconds>`: until each node that is Ready has a pod of the newest generation that is ready, as long as one more comes
 * within the seconds. A node that is down does not count: its pod waits for it.
 */
export const ROLLED = `
lacks() {
  # Only a controller that has seen the change has made a revision of it.
  set -- "$@" $(kubectl -n kube-system get "daemonset/$1" -o 'jsonpath={.metadata.generation} {.status.observedGeneration}') || return 1
  [ "$4" = "\${5:-}" ] || { echo "the controller of DaemonSets has not seen the change of $1"; return 1; }
  revision=$(kubectl -n kube-system get controllerrevisions -l "$2" --sort-by .revision -o 'jsonpath={.items[-1:].metadata.labels.controller-revision-hash}') || return 1
  kubectl get nodes -o 'jsonpath={range .items[*]}{.metadata.name}{" "}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}' >"$tmp/nodes" || return 1
  kubectl -n kube-system get pods -l "$2" -o 'jsonpath={range .items[*]}{.spec.nodeName}{" "}{.metadata.labels.controller-revision-hash}{" "}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}' >"$tmp/pods" || return 1
  awk -v "revision=$revision" 'FILENAME == ARGV[1] { if ($2 == revision && $3 == "True") good[$1]; next } $2 == "True" && !($1 in good) { print $1 }' "$tmp/pods" "$tmp/nodes"
}
tmp=$(${makeTemporary('-d')})
trap 'rm -rf -- "$tmp"' EXIT
kubectl -n kube-system get "daemonset/$1" -o name >/dev/null || exit 1
left=-1
while :; do
  if says=$(lacks "$@" 2>&1); then
    [ -n "$says" ] || exit 0
    now=$(printf '%s\\n' "$says" | wc -l)
  else
    now=$left
  fi
  # Each pod that is ready starts the wait anew.
  [ "$now" = "$left" ] || { left=$now; deadline=$(($(date +%s) + $3)); }
  [ "$(date +%s)" -lt "\${deadline:=$(($(date +%s) + $3))}" ] || break
  sleep 2
done
printf 'without a renewed pod: %s\\n' "$(printf '%s' "$says" | tr '\\n' ' ' | cut -c1-500)"
kubectl -n kube-system get pods -l "$2" -o wide 2>&1 | grep -v ' 1/1 ' | head -n 10
exit 1
`;
