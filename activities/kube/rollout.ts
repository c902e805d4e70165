import { linesKeepEnds } from '../../contracts/cut.ts';
import type { PhaseRun } from '../phases/phase.ts';
import { KUBECTL_ENV } from './kubectl.ts';

/** The longest single wait, s: a pause that drains waits for the command that runs, and nothing else may happen meanwhile. */
const PIECE_S = 15;
/** Exit code of a wait that is not over. */
const NOT_YET = 3;

/**
 * Wait until Deployments of kube-system are rolled out, in pieces; within one kubectl watches, so nothing is polled.
 * An API server that does not answer is asked again in the same time.
 * Throws WORKLOAD_NOT_READY with the states of the pods and the last events.
 */
export async function waitForDeployments(
  { remote, fail }: PhaseRun<unknown>,
  names: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const leftS = Math.ceil((until - performance.now()) / 1000);
    const isLast = leftS <= PIECE_S;
    const { code, stdout } = await remote.script(
      WAIT,
      [String(Math.min(PIECE_S, Math.max(leftS, 1))), isLast ? 'last' : 'more', ...names],
      { env: KUBECTL_ENV, okCodes: 'any', timeoutMs: PIECE_S * names.length * 1000 + 60_000 },
    );
    if (code === 0) return;
    if (code !== NOT_YET) return fail('WORKLOAD_NOT_READY', `${names.join(', ')} did not become ready`, stdout);
  }
}

/** Newest last. A message names the plugin, file or address that is to blame at its end. */
const EVENT_LINES = `tail -n 4 | ${linesKeepEnds(400)}`;

const WAIT = `
seconds=$1 piece=$2
shift 2
for name in "$@"; do
  said=$(kubectl -n kube-system rollout status "deployment/$name" --timeout "$seconds"s 2>&1) && continue
  # Only these two are about the Deployment: anything else is an API server that cannot answer now.
  case "$piece $said" in
    'last '* | *'exceeded its progress deadline'* | *'(NotFound)'*) ;;
    *'timed out'*) exit ${NOT_YET} ;;
    *) sleep 1; exit ${NOT_YET} ;;
  esac
  printf '%s\\n' "$said" | tail -n 1
  kubectl -n kube-system get pods -o wide 2>&1 | grep -v Running || :
  kubectl -n kube-system get events --field-selector type=Warning --sort-by .lastTimestamp --no-headers 2>&1 |
    ${EVENT_LINES}
  exit 1
done
`;
