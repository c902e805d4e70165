import { linesKeepEnds } from '../../contracts/cut.ts';
import type { Change } from '../../contracts/operation.ts';
import { makeTemporary } from '../host/fence.ts';
import { digestOfParts, sha256 } from './digest.ts';
import { absolute } from './path-check.ts';
import { KUBECTL_CACHE_DIR } from './paths.ts';
import { defineKind, type Owner, type Resource, resourceKey } from './resource.ts';
import { shCode } from './sh-code.ts';
import { Unknown } from './unknown.ts';

/** The part of a Kubernetes object that we read. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

/** Which object it is. `namespace` absent: it belongs to none. */
export interface ObjectRef {
  /** Absent for the core group. Without the version, which may be another one in the answer. */
  readonly group?: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

export const refOf = ({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): ObjectRef => ({
  ...(apiVersion.includes('/') ? { group: apiVersion.slice(0, apiVersion.indexOf('/')) } : {}),
  kind,
  ...(namespace === undefined ? {} : { namespace }),
  name,
});

/** Labels that every object of ours carries: by them it is found again when no phase desires it any more. */
export const OWNER_LABELS = { cluster: 'kubewright.dev/cluster', phase: 'kubewright.dev/phase' } as const;
export const ownerLabels = ({ cluster, phase }: Owner): Record<string, string> => ({
  [OWNER_LABELS.cluster]: cluster,
  [OWNER_LABELS.phase]: phase,
});

export interface ManifestsResource extends Resource {
  readonly kind: 'manifests';
  readonly objects: readonly KubeObject[];
  readonly kubeconfig: string;
  readonly waitMs: number;
}

interface ManifestsState {
  /** False where there is nothing to compare with: no kubectl yet, a namespace still missing, an object that is refused. */
  compared: boolean;
  /** `apps.v1.Deployment.kube-system.coredns`. */
  created: string[];
  updated: string[];
}

/** Where a control plane keeps its admin kubeconfig. */
const ADMIN_KUBECONFIG = '/etc/kubewright/admin.kubeconfig';
export const FIELD_MANAGER = 'kubewright';
const WORKLOADS = ['Deployment', 'DaemonSet', 'StatefulSet'];
const APPLY_TIMEOUT_MS = 120_000;
/** What an API server, or kubectl about it, says while it starts or has too much to do (extended regular expression, any case). */
const PASSES =
  'connection refused|the connection to the server .* was refused|no route to host|network is unreachable|context deadline exceeded|connection reset|unable to connect|i/o timeout|TLS handshake|unexpected EOF|ServiceUnavailable|the server is currently unable|etcdserver|Too Many Requests|failed to download openapi';

/**
 * Objects in the cluster, by server-side apply through kubectl on this host. Objects that leave the list are
 * taken away by the phase `prune`. `wait`: after a change, until Deployments, DaemonSets and StatefulSets of the list are rolled out.
 * Throws an Error for a Secret: the probe script is kept in the journal as it is.
 */
export function manifests(
  id: string,
  objects: readonly object[],
  options: { kubeconfig?: string; wait?: { timeoutMs: number } } = {},
): ManifestsResource {
  for (const object of objects) {
    const { apiVersion, kind, metadata } = object as Partial<KubeObject>;
    if (!apiVersion || !kind || !metadata?.name) throw new Error(`manifests ${id}: an object without kind or name`);
    if (kind === 'Secret') throw new Error(`manifests ${id}: secrets must not go through the journal`);
  }
  return {
    kind: 'manifests',
    id,
    objects: objects as readonly KubeObject[],
    kubeconfig: absolute(options.kubeconfig ?? ADMIN_KUBECONFIG),
    waitMs: options.wait?.timeoutMs ?? 0,
  };
}

const list = ({ objects }: ManifestsResource): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
const sideOptions = `--server-side --force-conflicts --field-manager=${FIELD_MANAGER}`;

export default defineKind<ManifestsResource, ManifestsState>({
  kind: 'manifests',

  // base64: printf is a shell builtin, so the size of a manifest does not matter.
  probe: (resource, quote) =>
    [
      `kw_stat -L -c %F -- ${quote(resource.kubeconfig)} && command -v kubectl >/dev/null || { echo absent; exit 0; }`,
      // kubectl leaves its copies of the objects where it is killed, by `timeout` as well.
      `kw_diff=$(${makeTemporary('-d')} 2>&1) || kw_unknown "$kw_diff"`,
      `printf %s ${Buffer.from(list(resource)).toString('base64')} | base64 -d |`,
      `  HOME=/root KUBECACHEDIR=${KUBECTL_CACHE_DIR} KUBECTL_EXTERNAL_DIFF='diff -qr' TMPDIR=$kw_diff timeout 20 kubectl --kubeconfig ${quote(resource.kubeconfig)} --request-timeout=10s diff ${sideOptions} -f - 2>&1`,
      'kw_code=$?',
      'rm -rf -- "$kw_diff"',
      'echo "code $kw_code"',
    ].join('\n'),
  parse: parseDiff,

  diff(resource, { compared, created, updated }) {
    const change = (action: Change['action'], detail: string): Change => ({
      resource: resourceKey(resource),
      action,
      detail,
    });
    if (!compared) return [change('create', resource.objects.map(nameOf).join(', '))];
    return [...created.map((name) => change('create', name)), ...updated.map((name) => change('update', name))];
  },

  fragment(resource, _observed, { quote, payload }) {
    const { kubeconfig, waitMs, objects } = resource;
    const kubectl = `HOME=/root KUBECACHEDIR=${KUBECTL_CACHE_DIR} kubectl --kubeconfig ${quote(kubeconfig)}`;
    const lines = [
      `kw_kubectl() { ${kubectl} "$@"; }`,
      APPLY_LOOP,
      `kw_apply ${payload(list(resource))} ${quote(resource.id)}`,
    ];
    const workloads = waitMs > 0 ? objects.filter(({ kind }) => WORKLOADS.includes(kind)) : [];
    for (const object of workloads) {
      const namespace = quote(object.metadata.namespace ?? 'default');
      const target = `${object.kind.toLowerCase()}/${object.metadata.name}`;
      lines.push(
        `kw_kubectl -n ${namespace} rollout status ${quote(target)} --timeout=${Math.ceil(waitMs / 1000)}s || {`,
        `  kw_fail ${shCode('WORKLOAD_NOT_READY')} ${quote(`${target} did not become ready`)}`,
        `  kw_kubectl -n ${namespace} get pods -o wide 2>&1 || :`,
        `  kw_kubectl -n ${namespace} get events --sort-by=.lastTimestamp 2>&1 | tail -n 5 | ${linesKeepEnds(350)} || :`,
        '  exit 1',
        '}',
      );
    }
    return { script: lines.join('\n'), timeoutMs: APPLY_TIMEOUT_MS + waitMs * Math.max(workloads.length, 1) };
  },

  ownedBy: (resource, owner) => ({
    ...resource,
    objects: resource.objects.map((object) => ({
      ...object,
      metadata: { ...object.metadata, labels: { ...object.metadata.labels, ...ownerLabels(owner) } },
    })),
  }),
  digest: (resource) => digestOfParts([sha256(list(resource)), resource.kubeconfig]),
});

/** Answers of an API server that knows what it says: the object cannot be there, or `apply` reports why it is refused. */
const NOT_COMPARABLE =
  /namespaces "[^"]*" not found|no matches for kind|\((?:Invalid|BadRequest)\)| is invalid: |field is immutable|denied (?:the )?request|exceeded quota|strict decoding error/;

/**
 * What `kubectl diff` said, with our `diff -qr` as its diff, and its exit code. It compares every object before it shows
 * any: lines of differences are a whole answer. Only what the API server says of the objects is one; everything else
 * (refused connections, 429, Unauthorized, Forbidden before it has loaded its roles, timeouts, half an output) is unknown.
 */
export function parseDiff(output: string): ManifestsState {
  const created = [...output.matchAll(/^Only in \S*MERGED-\S*: (\S+)$/gm)].map((match) => match[1]!);
  const updated = [...output.matchAll(/^Files \S*LIVE-\S*\/(\S+) and \S+ differ$/gm)].map((match) => match[1]!);
  if (output === 'absent\n') return { compared: false, created, updated };
  const [, code] = /^code (\d+)\n?$/m.exec(output) ?? [];
  if (code === '0' || (code === '1' && created.length + updated.length > 0))
    return { compared: true, created, updated };
  const words = output.replace(/^code \d+\n?/m, '').trim();
  const passes = new RegExp(PASSES, 'i').test(words);
  if (code !== undefined && !passes && NOT_COMPARABLE.test(words)) return { compared: false, created: [], updated: [] };
  if (code === '124') throw new Unknown(`the API server did not answer within 20 s. ${words.slice(-400)}`.trim());
  throw new Unknown(
    words.slice(-600) || `kubectl diff ended with ${code === undefined ? 'no' : `exit`} code ${code ?? ''}`.trim(),
  );
}

const nameOf = ({ kind, metadata }: KubeObject): string =>
  `${kind} ${metadata.namespace ? `${metadata.namespace}/` : ''}${metadata.name}`;

/**
 * Right after its start an API server may lack even kube-system, and a new CRD its kind: what passes by itself is tried
 * again for half a minute, what the server refuses is thrown at once.
 */
const APPLY_LOOP = `# kw_apply <n> <id>
kw_apply() {
  kw_try=0
  until kw_says=$(kw_kubectl apply ${sideOptions} -f - <"$KW_TMP/$1" 2>&1); do
    kw_try=$((kw_try + 1))
    kw_code=${shCode('MANIFEST_REFUSED')}
    if printf '%s' "$kw_says" | grep -Eqi '${PASSES}'; then
      kw_code=${shCode('APISERVER_NOT_READY')}
    elif ! printf '%s' "$kw_says" | grep -Eq 'namespaces "[^"]*" not found|no matches for kind'; then
      kw_try=30
    fi
    if [ "$kw_try" -ge 30 ]; then
      kw_fail "$kw_code" "the manifests $2 could not be applied"
      printf '%s\\n' "$kw_says"
      exit 1
    fi
    sleep 1
  done
  printf '%s\\n' "$kw_says"
}`;
