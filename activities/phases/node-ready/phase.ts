import { z } from 'zod';
import { keepEnd } from '../../../contracts/cut.ts';
import { WAIT_URL } from '../../kube/lib.ts';
import { NODE_FILES, nodeObjectUrl } from '../../kube/node-files.ts';
import { apiServerUrl } from '../capabilities/control-plane-endpoint.ts';
import { nodeAgent } from '../capabilities/node-agent.ts';
import { podNetwork } from '../capabilities/pod-network.ts';
import { enabledProvidersOf } from '../capabilities.ts';
import { keptRunning } from '../desired.ts';
import { noteEndpointNames } from '../endpoint-names.ts';
import { type CheckRun, definePhase } from '../phase.ts';

/**
 * Is the node Ready? Kubernetes says so when its kubelet, its runtime and its pod network are, whichever phases those are. In the
 * window of nodes: the next one is changed when this one is Ready again.
 */
export default definePhase({
  name: 'node-ready',
  title: 'Node Ready',
  hosts: 'nodes',
  needs: [
    { phase: 'container-runtime', on: 'same-host' },
    { phase: 'node-agent', on: 'same-host' },
    { phase: 'pod-network', on: 'same-host' },
  ],
  waitsForPods: true,
  disrupts: 'node',
  timeouts: { applyMs: 10_000, verifyMs: 4 * 60_000 },
  expectedMs: 1_000,
  options: z.strictObject({}),
  async check(run) {
    const kubeletAgeS = await waitUntilReady(run);
    // A node that served already and was changed: the kubelet that runs now has to have reported to the cluster.
    if (run.heldBefore) await askControlPlane(run, kubeletAgeS);
    await noteEndpointNames(run, { replaces: true });
  },
});

const READY = '"type":"Ready","status":"True"';

/** From the node itself, by its own object. Returns for how long its kubelet runs, s. */
async function waitUntilReady(run: CheckRun<unknown>): Promise<number> {
  const { host, remote, fail } = run;
  const url = nodeObjectUrl(apiServerUrl(run), host.name);
  // A node may read its own object: no other host is asked, however many nodes are built at once.
  const { certificate, key } = run.offer(nodeAgent);
  const { code, stdout, stderr } = await remote.script(WAIT, [WAIT_URL, url, NODE_FILES.ca, certificate, key, READY], {
    timeoutMs: 120_000,
    okCodes: 'any',
  });
  if (code === 0) return Number.parseInt(stdout, 10) || 0;
  return fail(
    'NODE_NOT_READY',
    `the node ${host.name} did not become Ready`,
    [notReadyReason(stderr), ...(await journals(run))].join('\n'),
  );
}

/** Ends with the seconds since the kubelet started. */
const WAIT = `
"$1" 90 "$2" "$3" "$4" "$5" "$6"
began=$(systemctl show -p ActiveEnterTimestampMonotonic --value kubelet.service)
read -r up _ </proc/uptime
echo $((\${up%.*} - \${began:-0} / 1000000))
`;

/**
 * Through a control plane: Ready, and the kubelet has renewed the node's lease since it started. The condition alone stays True
 * for 40 s after a kubelet died, and the next node would be changed meanwhile.
 */
async function askControlPlane(run: CheckRun<unknown>, kubeletAgeS: number): Promise<void> {
  const { host, fail } = run;
  const plane = await run.controlPlane();
  const { code, stdout } = await plane.script(SEEN, [host.name, String(kubeletAgeS)], {
    timeoutMs: 90_000,
    okCodes: 'any',
  });
  if (code === 0) return;
  fail(
    'NODE_NOT_READY',
    `the control plane ${plane.name} does not see the node ${host.name} Ready after its change`,
    [stdout.trim(), ...(await journals(run))].join('\n'),
  );
}

/** `<node> <seconds since its kubelet started>`. Clocks of hosts differ by less than the 2 s that are allowed for. */
const SEEN = `
since=$(($(date +%s) - $2 - 2))
deadline=$(($(date +%s) + 60))
while :; do
  ready=$(kubectl get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>&1) || :
  renewed=$(kubectl -n kube-node-lease get lease "$1" -o 'jsonpath={.spec.renewTime}' 2>&1) || :
  at=$(date -d "$renewed" +%s 2>/dev/null) || at=0
  [ "$ready" != True ] || [ "$at" -lt "$since" ] || exit 0
  [ "$(date +%s)" -lt "$deadline" ] || break
  sleep 1
done
echo "Ready: $ready; lease renewed: $renewed; kubelet started: $(date -u -d "@$since" +%FT%TZ)"
exit 1
`;

/** Last words of the kubelet and of what runs the pod network. */
function journals({ cluster, phases, unitJournal }: CheckRun<unknown>): Promise<string[]> {
  const networks = enabledProvidersOf(cluster, podNetwork.name, [...phases.values()]);
  const units = [...networks.flatMap((phase) => keptRunning(cluster, phase).units ?? []), 'kubelet'];
  return Promise.all(units.map((unit) => unitJournal(`${unit}.service`, 8)));
}

/** Of a node object, only the sentences about the condition Ready. */
const notReadyReason = (text: string): string =>
  /"type":"Ready"[^}]*"message":"([^"]*)"/.exec(text)?.[1] ?? keepEnd(text, 600);
