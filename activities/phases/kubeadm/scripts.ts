import { CURL } from '../../host/direct.ts';
import { KUBEADM_BINARY, KUBELET_FILES } from '../../kube/kubeadm.ts';
import { ETCD_CLIENT_PORT } from '../../kube/paths.ts';
import { KUBEADM_FILES as FILES } from './paths.ts';

/** Annotation of our patches on static pods: digest of what the pod was made from, so that a new pod is known from the one before. */
export const CONFIG_ANNOTATION = 'kubewright.dev/config';

/** sh: `etcd_ask <data> <path>` asks the member of this host, as the API server does. */
const ETCD_ASK = `etcd_ask() { ${CURL} -sS -m 5 --cacert ${FILES.etcdCaCopy} --cert ${FILES.etcdClient}.crt --key ${FILES.etcdClient}.key -d "$1" "https://127.0.0.1:${ETCD_CLIENT_PORT}$2"; }`;

/** sh: what kubeadm leaves of a start or a join that did not come to its end, a line each. `$1`: data folder of etcd, or empty. */
export const TRACES = `for kw_t in ${KUBELET_FILES.kubeconfig} ${KUBELET_FILES.bootstrapKubeconfig} ${KUBELET_FILES.config} ${FILES.manifests}/*.yaml; do
  [ ! -e "$kw_t" ] || echo "trace $kw_t"
done`;

/**
 * Whether a host without a record is a control plane after all, because it was killed right after its join: prints `whole` when its API
 * server is ready, its node carries the label that kubeadm sets last, and its etcd member (`$2` not empty) has a vote. Argument 1: its name.
 */
export const IS_WHOLE = `set +eu
${ETCD_ASK}
[ "$(kubectl --request-timeout=5s get --raw /readyz 2>/dev/null)" = ok ] || exit 0
for name in kube-apiserver kube-controller-manager kube-scheduler; do [ -e "${FILES.manifests}/$name.yaml" ] || exit 0; done
kubectl --request-timeout=5s get node "$1" --show-labels 2>/dev/null | grep -q 'node-role.kubernetes.io/control-plane' || exit 0
if [ -n "$2" ]; then
  etcd_ask '{}' /v3/cluster/member/list | sed 's/"ID"/\\
"ID"/g' | grep -F "\\"$2\\"" | grep -vq '"isLearner":true' || exit 0
fi
echo whole
`;

/**
 * Before a join, on a control plane that serves. Arguments: name of the node, peer URL of its etcd member or empty, URL of the endpoint,
 * configuration with the token. What is left of an earlier life of the host goes: its node and its member. What joining hosts read
 * names the endpoint of today. Then the token is made.
 */
export const PREPARE_JOIN = `
${ETCD_ASK}
kubectl delete node "$1" --ignore-not-found --timeout=30s
if [ -n "$2" ]; then
  tries=0
  while :; do
    said=$(etcd_ask '{}' /v3/cluster/member/list 2>&1) || :
    case $said in
      *'"members"'*)
        id=$(printf '%s' "$said" | sed 's/.*"members":\\[//' | sed 's/"ID"/\\
"ID"/g' | grep '^"ID"' | grep -F "\\"$2\\"" | sed -n 's/^"ID":"\\([0-9]*\\)".*/\\1/p') || :
        [ -n "$id" ] || break
        said=$(etcd_ask "{\\"ID\\":\\"$id\\"}" /v3/cluster/member/remove 2>&1) || :
        ;;
    esac
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || { printf 'the earlier member of %s is still in etcd: %s\\n' "$1" "$said" >&2; exit 1; }
    sleep 1
  done
fi
for file in /etc/kubernetes/admin.conf /etc/kubernetes/super-admin.conf; do
  [ ! -e "$file" ] || grep -q "^ *server: $3\\$" "$file" || sed -i "s|^\\( *server: \\).*|\\1$3|" "$file"
done
info=$(kubectl -n kube-public get configmap cluster-info --ignore-not-found -o 'jsonpath={.data.kubeconfig}')
case $info in *"server: $3"*) ;; *) kubectl -n kube-public delete configmap cluster-info --ignore-not-found ;; esac
${KUBEADM_BINARY} init phase bootstrap-token --config "$4" --skip-token-print >&2
tries=0
until kubectl -n kube-public get configmap cluster-info -o yaml | grep -q "jws-kubeconfig-$5:"; do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || { echo 'the controller manager does not sign cluster-info' >&2; exit 1; }
  sleep 0.5
done
`;

/** Argument 1: id of the token. The file with it goes as well. */
export const END_JOIN = `
rm -f -- "$2"
kubectl -n kube-system delete secret "bootstrap-token-$1" --ignore-not-found --timeout=20s
`;

/** All tokens that let hosts join: none is meant to last. */
export const DELETE_TOKENS = `
kubectl -n kube-system delete secret --field-selector type=bootstrap.kubernetes.io/token --timeout=20s >&2
`;

/**
 * Waits until the static pods of the host run from this configuration and are Ready. Arguments: name of the node, then name and
 * digest of each pod.
 */
export const WAIT_PODS = `set +e
node=$1
shift
deadline=$(($(date +%s) + 240))
while [ $# -gt 1 ]; do
  until says=$(kubectl --request-timeout=5s -n kube-system get pod "$1-$node" -o 'jsonpath={.metadata.annotations.${CONFIG_ANNOTATION.replaceAll('.', '\\.')}} {.status.conditions[?(@.type=="Ready")].status}' 2>&1) &&
    [ "$says" = "$2 True" ]; do
    [ "$(date +%s)" -lt "$deadline" ] || { printf '%s: %s\\n' "$1" "$says" >&2; exit 1; }
    sleep 0.5
  done
  shift 2
done
`;

/** Argument 1: the record, 2 and 3: digests of the configuration and of etcd's part. The manifests as they are now. */
export const WRITE_RECORD = `
mkdir -p -m 0700 -- "\${1%/*}"
{
  printf 'config %s\\netcd %s\\n' "$2" "$3"
  sha256sum -- ${FILES.manifests}/*.yaml
} >"$1.new"
mv -f -T -- "$1.new" "$1"
`;
