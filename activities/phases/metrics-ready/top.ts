import { KUBECTL_ENV } from '../../kube/kubectl.ts';
import type { PhaseRun } from '../phase.ts';

/** For the figures of all nodes, ms. */
const TIMEOUT_MS = 4 * 60_000;
/** The longest single wait, s: a pause that drains waits for the command that runs. */
const PIECE_S = 15;

/**
 * Until the metrics API (`api`: group and version) has figures of all these nodes, which takes two rounds of scraping after a
 * kubelet's start; the names that it has none of in the end. Without the API at all there is nothing to wait for: metrics were
 * never built.
 */
export async function nodesWithoutMetrics(
  { remote }: Pick<PhaseRun<unknown>, 'remote'>,
  { api, nodes }: { api: string; nodes: readonly string[] },
): Promise<string[]> {
  const until = performance.now() + TIMEOUT_MS;
  for (;;) {
    const seconds = Math.min(PIECE_S, Math.max(1, Math.ceil((until - performance.now()) / 1000)));
    const { stdout } = await remote.script(TOP_SCRIPT, [String(seconds), api, ...nodes], {
      env: KUBECTL_ENV,
      okCodes: 'any',
      timeoutMs: PIECE_S * 1000 + 60_000,
    });
    const missing = missingNodes(stdout, nodes);
    if (missing.length === 0 || performance.now() >= until) return missing;
  }
}

/** Those of the nodes that the script's last answer did not name as there. Pure. */
export function missingNodes(output: string, nodes: readonly string[]): string[] {
  const lines = output.split('\n');
  if (lines.includes('none')) return [];
  const there = new Set(lines.map((line) => /^node (\S+)$/.exec(line)?.[1]));
  return nodes.filter((name) => !there.has(name));
}

/** `<seconds> <api> <node>...`: `none` where there is no metrics API; else `node <name>` for each that it has figures of. */
export const TOP_SCRIPT = `
deadline=$(($(date +%s) + $1))
api=$2
shift 2
case $(kubectl get apiservice "\${api#*/}.\${api%/*}" 2>&1) in
  *NotFound*) echo none; exit ;;
esac
while :; do
  answer=$(kubectl get --raw "/apis/$api/nodes" 2>/dev/null) || answer=
  found=
  for node in "$@"; do
    case $answer in *"\\"name\\":\\"$node\\""*) found="$found $node" ;; esac
  done
  [ "$found" != " $*" ] || break
  [ "$(date +%s)" -lt "$deadline" ] || break
  sleep 0.3
done
for node in $found; do echo "node $node"; done
`;
