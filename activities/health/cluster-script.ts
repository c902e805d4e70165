import { CURL } from '../host/direct.ts';
import { KUBERNETES_PKI } from '../kube/paths.ts';
import { CALLS } from '../phases/external-etcd/public.ts';

const known = ['Ready', 'DiskPressure', 'MemoryPressure', 'PIDPressure', 'NetworkUnavailable']
  .map((type) => `(eq .type "${type}")`)
  .join(' ');

/** One pass over all objects. Texts that people wrote are quoted by Go (`%q`), so that a line stays a line. */
const TEMPLATE = [
  '{{range .items}}{{$name := .metadata.name}}',
  // Nodes: what is out of the ordinary, and a line for each.
  '{{if eq .kind "Node"}}{{"node\\t"}}{{$name}}{{"\\t"}}{{if .spec.unschedulable}}cordoned{{else}}-{{end}}{{"\\n"}}',
  '{{range .spec.taints}}{{"taint\\t"}}{{$name}}{{"\\t"}}{{.key}}{{"\\t"}}{{if .value}}{{.value}}{{end}}{{"\\t"}}{{.effect}}{{"\\t"}}{{if .timeAdded}}{{.timeAdded}}{{end}}{{"\\n"}}{{end}}',
  `{{range .status.conditions}}{{if or ${known}}}{{if ne .status (or (and (eq .type "Ready") "True") "False")}}{{"condition\\t"}}{{$name}}{{"\\t"}}{{.type}}{{"\\t"}}{{.status}}{{"\\t"}}{{.lastTransitionTime}}{{"\\t"}}{{.reason}}{{"\\t"}}{{printf "%q" .message}}{{"\\n"}}{{end}}{{end}}{{end}}`,
  // Workloads, with desired and present pods.
  '{{else if or (eq .kind "Deployment") (eq .kind "DaemonSet")}}{{"workload\\t"}}{{.kind}}{{"\\t"}}{{$name}}{{"\\t"}}',
  '{{if eq .kind "DaemonSet"}}{{.status.desiredNumberScheduled}}{{"\\t"}}{{if .status.numberAvailable}}{{.status.numberAvailable}}{{else}}0{{end}}{{"\\t"}}{{if .status.updatedNumberScheduled}}{{.status.updatedNumberScheduled}}{{else}}0{{end}}',
  '{{else}}{{.spec.replicas}}{{"\\t"}}{{if .status.availableReplicas}}{{.status.availableReplicas}}{{else}}0{{end}}{{"\\t"}}{{if .status.updatedReplicas}}{{.status.updatedReplicas}}{{else}}0{{end}}{{end}}',
  '{{"\\t"}}{{range .status.conditions}}{{if eq .type "Available"}}{{if eq .status "False"}}{{.lastTransitionTime}}{{end}}{{end}}{{end}}{{"\\n"}}',
  // Pods that are not ready: whose they are, and what they say.
  '{{else if eq .kind "Pod"}}{{if and (ne .status.phase "Succeeded") (ne .status.phase "Failed")}}{{$ready := false}}',
  '{{range .status.conditions}}{{if and (eq .type "Ready") (eq .status "True")}}{{$ready = true}}{{end}}{{end}}',
  '{{if not $ready}}{{"pod\\t"}}{{$name}}{{"\\t"}}{{range .metadata.ownerReferences}}{{.kind}}/{{.name}}{{end}}{{"\\t"}}{{.status.phase}}{{"\\t"}}{{.metadata.creationTimestamp}}{{"\\t"}}{{if .spec.nodeName}}{{.spec.nodeName}}{{end}}{{"\\n"}}',
  '{{range .status.conditions}}{{if and (eq .type "PodScheduled") (eq .status "False")}}{{"says\\t"}}{{$name}}{{"\\t"}}{{.reason}}{{"\\t"}}{{printf "%q" .message}}{{"\\n"}}{{end}}{{end}}',
  '{{range .status.containerStatuses}}{{if .state.waiting}}{{"says\\t"}}{{$name}}{{"\\t"}}{{.state.waiting.reason}}{{"\\t"}}{{printf "%q" .state.waiting.message}}{{"\\n"}}{{end}}{{if .lastState.terminated}}{{"says\\t"}}{{$name}}{{"\\t"}}{{.lastState.terminated.reason}}{{"\\t"}}{{printf "%q" .lastState.terminated.message}}{{"\\n"}}{{end}}{{end}}{{end}}{{end}}',
  '{{else if eq .kind "Lease"}}{{"lease\\t"}}{{$name}}{{"\\t"}}{{.spec.renewTime}}{{"\\t"}}{{.spec.holderIdentity}}{{"\\n"}}',
  '{{else if eq .kind "APIService"}}{{range .status.conditions}}{{if and (eq .type "Available") (ne .reason "Local")}}{{"apiservice\\t"}}{{$name}}{{"\\t"}}{{.status}}{{"\\t"}}{{.lastTransitionTime}}{{"\\t"}}{{.reason}}{{"\\t"}}{{printf "%q" .message}}{{"\\n"}}{{end}}{{end}}',
  '{{end}}{{end}}',
].join('');

const EVENTS =
  '{{range .items}}{{"event\\t"}}{{.involvedObject.name}}{{"\\t"}}{{.reason}}{{"\\t"}}{{printf "%q" .message}}{{"\\n"}}{{end}}';

/**
 * The cluster as a control plane sees it, in one round trip and without a change. Arguments: 1 kubeconfig, 2 API servers
 * (`<host>=<url>` words), 3 etcd members (the same), 4 endpoints of an external etcd (URLs). Prints lines of words with tabs
 * between them, `kubectl failed <what it said>`
 * when the API does not answer, and `absent` on a host that is no control plane yet.
 */
export const CLUSTER_HEALTH_SCRIPT = `set +eu
export LC_ALL=C
tab=$(printf '\\t')
kubeconfig=$1 servers=$2 members=$3 externals=$4
if [ ! -f "$kubeconfig" ] || ! command -v kubectl >/dev/null; then echo absent; echo end; exit 0; fi
one_line() { tr '\\n\\t\\r' '   ' | tail -c "$1"; }
date -u +'now%t%Y-%m-%dT%H:%M:%SZ'
for server in $servers; do
  {
    said=$(${CURL} -sS -m 4 --cacert ${KUBERNETES_PKI}/ca.crt --cert ${KUBERNETES_PKI}/health-client.crt --key ${KUBERNETES_PKI}/health-client.key "\${server#*=}/readyz?verbose" 2>&1)
    case $said in *'readyz check passed'*) said=ok ;; esac
    # Only checks that failed, where it answered.
    failed=$(printf '%s\\n' "$said" | grep '^\\[-\\]')
    printf 'readyz\\t%s\\t%s\\n' "\${server%%=*}" "$(printf '%s' "\${failed:-$said}" | one_line 600)"
  } &
done
etcd() { ${CURL} -sS -m 4 --cacert ${KUBERNETES_PKI}/etcd-ca.crt --cert ${KUBERNETES_PKI}/apiserver-etcd-client.crt --key ${KUBERNETES_PKI}/apiserver-etcd-client.key "$@" 2>&1; }
for member in $members; do
  {
    status=$(etcd -d '{}' "\${member#*=}/v3/maintenance/status" | one_line 4000)
    health=$(etcd "\${member#*=}/health" | one_line 600)
    printf 'etcd\\t%s\\t%s\\t%s\\n' "\${member%%=*}" "$health" "$status"
  } &
done
# By gRPC: the JSON gateway refuses clients that have users (answers: phases/external-etcd/ask.ts).
for server in $externals; do
  {
    status=$({
      printf '\\000\\000\\000\\000\\000' | etcd -i --http2 -H 'content-type: application/grpc' -H 'te: trailers' --data-binary @- -w '\\nkw %{http_code} 0 0\\n' "$server${CALLS.status}"
      printf '\\nexit %s\\n' "$?"
    } | head -c 8192 | od -An -v -tx1 | tr -d ' \\n')
    health=$(etcd "$server/health" | one_line 600)
    printf 'external-etcd\\t%s\\t%s\\t%s\\n' "$server" "$health" "$status"
  } &
done
{
  objects=$(timeout 12 kubectl --request-timeout=10s -n kube-system get nodes,deployments.apps,daemonsets.apps,pods,leases.coordination.k8s.io,apiservices.apiregistration.k8s.io -o go-template='${TEMPLATE}' 2>&1)
  code=$?
  printf '%s\\n' "$objects"
  [ "$code" = 0 ] || printf 'kubectl\\tfailed\\t%s\\n' "$(printf '%s\\n' "$objects" | grep -v "^[a-z]*$tab" | one_line 600)"
  # What keeps a pod from starting is often said by events alone.
  case $objects in
    *"pod$tab"*) timeout 12 kubectl --request-timeout=10s -n kube-system get events --field-selector type=Warning,involvedObject.kind=Pod --sort-by=.lastTimestamp -o go-template='${EVENTS}' 2>/dev/null | tail -n 100 ;;
  esac
} &
wait
echo end
`;
