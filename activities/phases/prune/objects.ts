import { FIELD_MANAGER, type ObjectRef, OWNER_LABELS } from '../../resources/manifests.ts';

/** An object of ours that is in the cluster; `phase` is empty for one of a version that wrote no owner. */
export interface FoundObject extends ObjectRef {
  readonly phase: string;
}

/** `Deployment.apps kube-system/dashboard`, as changes name it. */
export const refName = ({ group, kind, namespace, name }: ObjectRef): string =>
  `${kind}${group === undefined ? '' : `.${group}`} ${namespace === undefined ? '' : `${namespace}/`}${name}`;

/** Kinds of which versions up to 0.1 placed objects, without labels: in kube-system, and in no namespace. */
const EARLIER = [
  'serviceaccounts,configmaps,services,deployments.apps,roles.rbac.authorization.k8s.io',
  'rolebindings.rbac.authorization.k8s.io,poddisruptionbudgets.policy',
].join(',');
const EARLIER_OF_CLUSTER = [
  'clusterroles.rbac.authorization.k8s.io,clusterrolebindings.rbac.authorization.k8s.io',
  'apiservices.apiregistration.k8s.io,validatingadmissionpolicies.admissionregistration.k8s.io',
  'validatingadmissionpolicybindings.admissionregistration.k8s.io',
].join(',');

/**
 * A line for each object that our field manager applied: what controllers make of ours (an EndpointSlice has the labels of
 * its Service) has another manager.
 */
const TEMPLATE = `{{range .items}}{{$o := .}}{{$ours := false}}{{range .metadata.managedFields}}{{if and (eq .manager "${FIELD_MANAGER}") (eq .operation "Apply")}}{{$ours = true}}{{end}}{{end}}{{if $ours}}object{{"\\t"}}{{.apiVersion}}{{"\\t"}}{{.kind}}{{"\\t"}}{{with .metadata.namespace}}{{.}}{{end}}{{"\\t"}}{{.metadata.name}}{{"\\t"}}{{with .metadata.labels}}{{with index . "${OWNER_LABELS.cluster}"}}{{.}}{{end}}{{end}}{{"\\t"}}{{with .metadata.labels}}{{with index . "${OWNER_LABELS.phase}"}}{{.}}{{end}}{{end}}{{"\\n"}}{{end}}{{end}}`;

/**
 * Prints the objects of ours: of every kind that can be listed those with our labels, and of the kinds that earlier
 * versions placed those that our field manager applied. Exit code 1: nothing is known. A group of an aggregated API that
 * does not answer is left out, so that what is in it is not pruned.
 */
export const FIND_SCRIPT = `
template='${TEMPLATE}'
kinds=$(kubectl api-resources --verbs=list,delete -o name 2>/dev/null | grep -Ev '^events(\\.|$)' | tr '\\n' ',')
[ -n "$kinds" ] || { kubectl api-resources --verbs=list,delete -o name >&2; exit 1; }
list() { kubectl get --show-managed-fields --request-timeout=30s -o go-template="$template" "$@"; }
list "\${kinds%,}" -A -l '${OWNER_LABELS.phase}' || exit 1
list '${EARLIER}' -n kube-system -l '!${OWNER_LABELS.phase}' || exit 1
list '${EARLIER_OF_CLUSTER}' -l '!${OWNER_LABELS.phase}' || exit 1
list secrets -n kube-system -l '!${OWNER_LABELS.phase}' --field-selector type=kubernetes.io/tls || exit 1
`;

/** The objects that \`FIND_SCRIPT\` printed, each once. Pure. */
export function parseFound(output: string): FoundObject[] {
  const found = new Map<string, FoundObject>();
  for (const line of output.split('\n')) {
    const [word, apiVersion = '', kind = '', namespace = '', name = '', , phase = ''] = line.split('\t');
    if (word !== 'object' || kind === '' || name === '') continue;
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
    const ref: FoundObject = {
      ...(group === '' ? {} : { group }),
      kind,
      ...(namespace === '' ? {} : { namespace }),
      name,
      phase: phase === '' ? 'an earlier version' : phase,
    };
    found.set(refName(ref), ref);
  }
  return [...found.values()];
}

/** The words of one object for `DELETE_SCRIPT`. */
export const deleteArguments = ({ group, kind, namespace = '', name }: ObjectRef): string[] => [
  namespace,
  `${kind}${group === undefined ? '' : `.${group}`}`,
  name,
];

/**
 * Deletes objects, given as <namespace or nothing> <kind.group> <name>, and waits until they and what belongs to them
 * (ReplicaSets, pods) are gone. APIs that a pod serves go first: without their pod every request that lists all kinds fails.
 */
export const DELETE_SCRIPT = `
delete() {
  if [ -n "$1" ]; then set -- "$2" "$3" -n "$1"; else set -- "$2" "$3"; fi
  kubectl delete "$@" --ignore-not-found --cascade=foreground --timeout=120s
}
for first in yes ''; do
  count=$#
  while [ "$count" -gt 0 ]; do
    case $2 in APIService.*) now=yes ;; *) now= ;; esac
    [ "$now" != "$first" ] || delete "$1" "$2" "$3" || exit 1
    set -- "$@" "$1" "$2" "$3"
    shift 3
    count=$((count - 3))
  done
done
`;
