import { z } from 'zod';
import type { Change } from '../../contracts/operation.ts';
import { KUBECTL_ENV } from '../kube/kubectl.ts';
import { definePhase } from './phase.ts';

const options = z.strictObject({
  drainSeconds: z
    .int()
    .min(0)
    .max(3600)
    .default(60)
    .describe('Time limit for the drain of the node; after it the node is removed anyway'),
});

/** Nodes of leaving hosts are drained and leave the cluster, through a control plane that stays. */
export default definePhase({
  name: 'remove-node',
  title: 'Remove nodes',
  onDemand: true,
  hosts: 'one-control-plane',
  needs: [],
  timeouts: { applyMs: 65 * 60_000, verifyMs: 10_000 },
  expectedMs: 10_000,
  options,
  async run({ remote, targetHosts, options: { drainSeconds }, mode, fail }): Promise<Change[]> {
    const changes: Change[] = [];
    for (const node of targetHosts ?? []) {
      const { code, stdout, stderr } = await remote.script(SCRIPT, [node, String(drainSeconds), mode], {
        env: KUBECTL_ENV,
        okCodes: 'any',
        timeoutMs: (drainSeconds + 90) * 1_000,
      });
      if (code !== 0) fail('COMMAND_FAILED', `the node ${node} could not be removed`, `${stdout}${stderr}`);
      const detail = stdout.trim().split('\n').at(-1) ?? '';
      if (detail !== '') changes.push({ resource: `node:${node}`, action: 'remove', detail });
    }
    return changes;
  },
});

/** A node that does not answer is not drained: its pods cannot say that they ended. Prints what was done, last. */
const SCRIPT = `
# Only an API server that answers knows that there is no such node.
ask() {
  tries=0
  until said=$(kubectl get node "$node" --ignore-not-found "$@" 2>&1); do
    tries=$((tries + 1))
    [ "$tries" -lt 30 ] || { printf 'the API server does not answer: %s\\n' "$said" >&2; exit 1; }
    sleep 1
  done
}
node=$1
ask -o name
[ -n "$said" ] || exit 0
[ "$3" = apply ] || { echo 'drained and removed'; exit 0; }
ask -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
ready=$said
kubectl cordon "$1"
says=drained
if [ "$ready" != True ]; then
  says='not drained: it does not answer'
elif ! kubectl drain "$1" --ignore-daemonsets --delete-emptydir-data --force --timeout="$2s"; then
  says="not drained within $2 s"
fi
kubectl delete node "$1" --ignore-not-found --timeout=30s
echo "$says, removed"
`;
