import { ssh } from '../../e2e/support.ts';

type Machine = Parameters<typeof ssh>[0];
type Json = Record<string, unknown>;

const ADMIN = '/etc/kubewright/admin.kubeconfig';
/** What comes and goes by itself: records of controllers, and objects that follow pods. */
const PASSING =
  /^(events|leases|pods|replicasets|controllerrevisions|endpoints|endpointslices|ipaddresses|componentstatuses|nodes|csinodes|bindings|certificatesigningrequests|.*\.metrics\.k8s\.io)(\.|$)/;

/**
 * Every object of the cluster, of every kind that the API server lists and of every namespace, with its content: `kind namespace/name` to what
 * the desired state has of it. Left out is what the API server assigns (uid, versions, times, status, addresses of services) and
 * what is made anew each time (values of Secrets, bundles of authorities).
 */
export async function objectsOf(host: Machine): Promise<Record<string, unknown>> {
  const kubectl = (words: string) => ssh(host, `kubectl --kubeconfig ${ADMIN} ${words}`);
  const kinds = (await kubectl('api-resources --verbs=list -o name'))
    .split('\n')
    .filter((kind) => kind !== '' && !PASSING.test(kind));
  const { items } = JSON.parse(await kubectl(`get ${kinds.join(',')} -A -o json`)) as { items: Json[] };
  const objects = items.map((item) => [nameOf(item), desiredOf(item)] as const);
  return Object.fromEntries(objects.sort(([one], [other]) => (one < other ? -1 : 1)));
}

function nameOf({ kind, metadata }: Json): string {
  const { namespace, name } = metadata as { namespace?: string; name: string };
  return `${kind as string} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

/** What the API server or a controller writes into an object, independent of the desired state. */
const ASSIGNED = new Set([
  ...['uid', 'resourceVersion', 'generation', 'creationTimestamp', 'managedFields', 'selfLink', 'status'],
  ...[
    'clusterIP',
    'clusterIPs',
    'caBundle',
    'deployment.kubernetes.io/revision',
    'deprecated.daemonset.template.generation',
  ],
]);

function desiredOf(object: Json): Json {
  // A controller writes the rules of a role that others are aggregated into.
  if ('aggregationRule' in object) return desired({ ...object, rules: [] }) as Json;
  if (object['kind'] === 'Secret')
    return desired({ ...object, data: Object.keys((object['data'] ?? {}) as Json) }) as Json;
  return desired(object) as Json;
}

function desired(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(desired);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]) => (ASSIGNED.has(key) ? [] : [[key, desired(each)]])),
  );
}

/**
 * The packet filter (all rules of nftables, which holds those of iptables too, and sets element by element), routes, rules of
 * routing and links of a host, a line each. Left out: what the kubelet makes some time after its start, what kube-proxy removes some
 * time after a smoke test, and the links of pods.
 */
const NETWORK = `nft -s list ruleset | awk '
  /^table/ { table = $2 " " $3; part = ""; print table; next }
  /^\\t(chain|set|map) / { part = $2; print table, part; next }
  /elements = \\{/ { inside = 1; sub(/.*elements = \\{/, "") }
  inside { if (/\\}[[:space:]]*$/) { inside = 2; sub(/\\}[[:space:]]*$/, "") }
    n = split($0, each, ","); for (i = 1; i <= n; i++) { gsub(/^[[:space:]]+|[[:space:]]+$/, "", each[i]); if (each[i] != "") print table, part, each[i] }
    if (inside == 2) inside = 0; next }
  { sub(/^[[:space:]]+/, ""); if ($0 != "" && $0 != "}") print table, part, $0 }' |
  grep -Ev ' filter (INPUT|FORWARD|OUTPUT|KUBE-FIREWALL)( |$)|kubewright-smoke'
ip -o link | awk '$2 !~ /^veth/ { sub(/@.*/, "", $2); print "link", $2 }'
ip route | sed 's/^/route /'
ip rule | sed 's/^/rule /'`;

/** Rules, routes and links of a host, sorted. */
export const networkOf = async (host: Machine): Promise<string[]> =>
  (await ssh(host, `(${NETWORK}) | sort`)).split('\n').filter((line) => line !== '');
