import { z } from 'zod';
import type { Change } from '../../../contracts/operation.ts';
import { KUBECTL_ENV } from '../../kube/kubectl.ts';
import { CNI_CONF_DIR } from '../../kube/paths.ts';
import { packetsBetweenNodes, podNetwork } from '../capabilities/pod-network.ts';
import type { OfferView } from '../capability.ts';
import { definePhase, type PhaseRun } from '../phase.ts';
import { POD_BRIDGE_REQUIREMENTS } from '../pod-bridge.ts';

/** A wait is one command at a time, s: a pause that drains waits for the command that runs. */
const PIECE_S = 10;
const MOST_WAIT_S = 3600;

const options = z.strictObject({
  waitSeconds: z
    .int()
    .min(0)
    .max(MOST_WAIT_S)
    .default(0)
    .describe(
      'Time that a build waits on each node for the configuration of your network; 0: it ends without it, and the next build does what needs pods',
    ),
  podCidr: z
    .boolean()
    .default(true)
    .describe('True: the controller manager gives each node a podCIDR; false: your network assigns addresses itself'),
  policies: z.boolean().default(false).describe('True: your network enforces NetworkPolicy objects'),
  overhead: z
    .int()
    .min(0)
    .max(200)
    .default(0)
    .describe('Bytes by which your network makes packets larger between nodes; counts where spec.network.mtu is given'),
});
type Options = z.output<typeof options>;

/**
 * The user installs the pod network: nothing of it is ours. A build goes as far as it can without; when the network is there, the next
 * build does the rest.
 */
export default definePhase({
  name: 'external-network',
  title: 'Pod network of the user',
  hosts: 'nodes',
  offers: [
    podNetwork.offer(({ cluster, options: { overhead, policies, podCidr } }: OfferView<Options>) => ({
      mtu: cluster.spec.network.mtu ?? null,
      overhead,
      enforcesPolicies: policies,
      needsPodCidr: podCidr,
      // DaemonSets of networks are, mostly.
      privilegedPods: true,
    })),
  ],
  optional: 'when-named',
  needs: [
    { phase: 'node-agent', on: 'same-host' },
    { phase: 'container-runtime', on: 'same-host' },
  ],
  timeouts: { applyMs: (MOST_WAIT_S + 60) * 1000, verifyMs: 10_000 },
  expectedMs: 300,
  options,
  requires: ({ cluster, options }) => ({
    ...packetsBetweenNodes(cluster, options.overhead),
    ...POD_BRIDGE_REQUIREMENTS,
    // Which ports it needs, its documentation says. Packets of pods may come with their own addresses.
    forwards: ['pods', 'nodes'],
  }),
  run: waitForConfiguration,
  awaited: missing,
});

/** Waits as long as the options say. That it is not there is no failure: what needs it asks for itself. */
async function waitForConfiguration({ remote, options, mode, signal }: PhaseRun<Options>): Promise<Change[]> {
  const until = performance.now() + options.waitSeconds * 1000;
  for (;;) {
    const leftS = mode === 'check' ? 0 : Math.ceil((until - performance.now()) / 1000);
    if (leftS <= 0) return [];
    const { code } = await remote.script(CONFIGURED, [String(Math.min(leftS, PIECE_S))], { okCodes: 'any' });
    if (code === 0) return [];
    signal.throwIfAborted();
  }
}

/** A runtime takes the network from the first of these files. Argument: for how long to look, s. Exit code 1: there is none. */
const CONFIGURED = `
left=$1
while :; do
  for file in ${CNI_CONF_DIR}/*.conflist ${CNI_CONF_DIR}/*.conf ${CNI_CONF_DIR}/*.json; do
    [ ! -s "$file" ] || exit 0
  done
  [ "$left" -gt 0 ] || exit 1
  left=$((left - 1))
  sleep 1
done
`;

/**
 * A host with a configuration has the network. On another one a node that is Ready says that the cluster has it, and that it may be
 * on its way here.
 */
async function missing(run: PhaseRun<unknown>): Promise<string | null> {
  const { code } = await run.remote.script(CONFIGURED, ['0'], { okCodes: 'any' });
  if (code === 0) return null;
  const plane = await run.controlPlane();
  const { stdout } = await plane.script(READY_NODES, [], { env: KUBECTL_ENV, okCodes: 'any', timeoutMs: 30_000 });
  if (stdout.split('\n').includes('True')) return null;
  return `no network configuration in ${CNI_CONF_DIR} of ${run.host.name}, and no node is Ready`;
}

const READY_NODES = `kubectl get nodes -o 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}'`;
