import { KUBELET_PORT } from '../../kube/paths.ts';

/**
 * Defines `silent <lines of name and address>`: prints the names of nodes that answer neither ping nor
 * a word (a refusal, say) from the kubelet's port, in three tries of up to 4 s.
 */
export const SILENT_FUNCTION = `
silent() {
  left=$1
  for _ in 1 2 3; do
    left=$(printf '%s\\n' "$left" | xargs -r -n 2 -P 50 sh -c '
      ping -n -q -c 1 -W 2 "$1" >/dev/null 2>&1 && exit 0
      said=$(timeout 2 bash -c "exec 3<>/dev/tcp/$1/${KUBELET_PORT}" 2>&1) && exit 0
      case $said in *refused*) ;; *) echo "$0 $1" ;; esac')
    [ -n "$left" ] || return 0
  done
  printf '%s\\n' "$left" | cut -d ' ' -f 1
}
`;

/**
 * Argument: nodes, as `unreachable` wants them. A line per silent node; one per node with name, kubelet version, status of
 * Ready and its message. Pods are no part of it: what a build cannot mend is the cluster's health, which it ends with.
 */
export const NODES_SCRIPT = `${SILENT_FUNCTION}
silent "$1" | sed 's/^/silent\\t/' &
kubectl get nodes -o jsonpath='{range .items[*]}node{"\\t"}{.metadata.name}{"\\t"}{.status.nodeInfo.kubeletVersion}{"\\t"}{.status.conditions[?(@.type=="Ready")].status}{"\\t"}{.status.conditions[?(@.type=="Ready")].message}{"\\n"}{end}'
wait
echo end
`;

/** The nodes that said nothing. Pure. */
export function unreachableNodes(output: string): string[] {
  return output.split('\n').flatMap((line) => (line.startsWith('silent\t') ? [line.slice('silent\t'.length)] : []));
}

/** One thing that is wrong, in a sentence. */
export interface Unready {
  /** The node that it is about; null: no single one. */
  node: string | null;
  what: string;
}

/** What is wrong; empty when every wanted node is Ready at the version. Pure. */
export function unreadyNodes(
  output: string,
  { wanted, version }: { wanted: readonly string[]; version: string },
): Unready[] {
  const rows = output.split('\n').map((line) => line.split('\t'));
  if (!rows.some(([kind]) => kind === 'end')) return [{ node: null, what: 'the API server did not answer' }];
  const nodes = new Map(rows.filter(([kind]) => kind === 'node').map(([, name = '', ...rest]) => [name, rest]));
  return wanted.flatMap((name) => {
    const node = nodes.get(name);
    const problem = (what: string): Unready[] => [{ node: name, what: `${name} ${what}` }];
    if (!node) return problem('is not registered');
    const [kubelet = '', ready = '', message = ''] = node;
    if (ready !== 'True') return problem(`is not Ready: ${message}`);
    return kubelet === `v${version}` ? [] : problem(`runs kubelet ${kubelet}, not v${version}`);
  });
}

/** One check of the smoke test that failed. */
export interface SmokeFailure {
  check: string;
  from: string;
  to: string;
  what: string;
}

/** The `failed` lines of the smoke script. Pure. */
export function parseFailures(output: string): SmokeFailure[] {
  return output
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([word]) => word === 'failed')
    .map(([, check = '', from = '', to = '', what = '']) => ({ check, from, to, what: what.trim() }));
}

type Sentence = (failure: SmokeFailure, first: number, second: number, overhead: number) => string;

/** Checks of the smoke script about the size of packets; `what` of a failure is two numbers. */
const SIZES: Readonly<Record<string, Sentence>> = {
  'pod-mtu': ({ from, to }, largest, link, overhead) =>
    `packets of ${link} bytes do not pass between pods of ${from} and ${to}: the largest that passes has ${largest} bytes, ${largest + overhead} between the nodes`,
  'node-mtu': ({ from, to }, largest, link) =>
    `packets of ${link} bytes, the MTU of the link of ${from}, are lost on the way to ${to}: the largest that passes has ${largest} bytes`,
  'link-mtu': ({ from }, link, wanted) =>
    `pods on ${from} have links with an MTU of ${link}, and the spec says ${wanted}`,
};

export const isAboutSize = (check: string): boolean => Object.hasOwn(SIZES, check);

/** What a failed check about sizes found, with the places. `overhead`: of the pod network, bytes. Pure. */
export function sizeSentence(failure: SmokeFailure, overhead: number): string {
  const [first = 0, second = 0] = failure.what.split(' ').map(Number);
  return SIZES[failure.check]?.(failure, first, second, overhead) ?? failure.what;
}
