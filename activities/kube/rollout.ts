import type { PhaseRun } from '../phases/phase.ts';
import { KUBECTL_ENV } from './kubectl.ts';

/**
 * Wait until Deployments of kube-system are rolled out; kubectl watches, so nothing is polled. Throws WORKLOAD_NOT_READY
 * with the states of the pods and the last events.
 */
export async function waitForDeployments(
  { remote, fail }: PhaseRun<unknown>,
  names: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const { code, stdout } = await remote.script(WAIT, [String(Math.ceil(timeoutMs / 1000)), ...names], {
    env: KUBECTL_ENV,
    okCodes: 'any',
    timeoutMs: timeoutMs + 30_000,
  });
  if (code !== 0) fail('WORKLOAD_NOT_READY', `${names.join(', ')} did not become ready`, stdout);
}

const WAIT = `
seconds=$1
shift
for name in "$@"; do
  kubectl -n kube-system rollout status "deployment/$name" --timeout "$seconds"s >/dev/null 2>&1 && continue
  kubectl -n kube-system get pods -o wide 2>&1 | grep -v Running || :
  kubectl -n kube-system get events --field-selector type=Warning --sort-by .lastTimestamp 2>&1 | tail -n 6 | cut -c1-240
  exit 1
done
`;
