import { CURL } from '../../host/direct.ts';
import { installAll } from '../../kube/install.ts';
import { isControlPlane } from '../../kube/network.ts';
import { ADMIN_KUBECONFIG } from '../../kube/paths.ts';
import { directServers } from '../../kube/proxy.ts';
import { directory } from '../../resources/directory.ts';
import { undoByScript } from '../../resources/engine/undo.ts';
import { file } from '../../resources/file.ts';
import { packages } from '../../resources/packages.ts';
import { podNetwork } from '../capabilities/pod-network.ts';
import type { OfferView } from '../capability.ts';
import { definePhase } from '../phase.ts';
import { CALICOCTL } from './artifacts.ts';
import { calicoIssues } from './issues.ts';
import { NODE_NAME } from './manifests/node.ts';
import { CALICO_GUARDED, type CalicoOptions, calicoOptions } from './options.ts';
import { CALICO_FILLS, CALICOCTL_CONFIG, CALICOCTL_DIR, CNI_CONFLIST, XTABLES_LOCK } from './paths.ts';
import { CALICO, calicoDeployments } from './public.ts';
import { CALICO_PACKAGES, calicoRequirements, FELIX_HEALTH_PORT, MODE_OVERHEAD } from './requirements.ts';
import { CALICO_TEARDOWN } from './teardown-script.ts';

/** What calicoctl reads without being told (docs of the project, "Configure calicoctl"). */
const CALICOCTL_SETTINGS = `# Written by Kubewright.
apiVersion: projectcalico.org/v3
kind: CalicoAPIConfig
metadata:
spec:
  datastoreType: kubernetes
  kubeconfig: ${ADMIN_KUBECONFIG}
`;

/** The pod network with network policies. Its programs run as pods, which phase calico-objects places; here is what a node needs. */
export default definePhase({
  name: CALICO,
  title: 'Pod network (Calico)',
  hosts: 'nodes',
  offers: [
    podNetwork.offer(({ cluster, options }: OfferView<CalicoOptions>) => ({
      mtu: cluster.spec.network.mtu ?? null,
      overhead: MODE_OVERHEAD[options.mode],
      enforcesPolicies: true,
      needsPodCidr: false,
      privilegedPods: true,
    })),
  ],
  optional: 'when-named',
  needs: [
    { phase: 'node-agent', on: 'same-host' },
    { phase: 'container-runtime', on: 'same-host' },
    { phase: 'binaries', on: 'same-host' },
    { phase: 'calico-objects', on: 'every-host' },
  ],
  timeouts: { applyMs: 5 * 60_000, verifyMs: 4 * 60_000 },
  expectedMs: 20_000,
  keepsRunning: ({ cluster, options }) => ({
    objects: [`DaemonSet/${NODE_NAME}`, ...calicoDeployments(cluster, options).map((name) => `Deployment/${name}`)],
  }),
  options: calicoOptions,
  guarded: CALICO_GUARDED,
  fixed: [
    { option: 'mode', because: 'packets between nodes that changed and nodes that did not would be lost' },
    { option: 'blockSize', because: 'the addresses of running pods are in blocks of that size' },
  ],
  specIssues: calicoIssues,
  requires: calicoRequirements,
  folders: () => CALICO_FILLS.filter((path) => ![CNI_CONFLIST, XTABLES_LOCK].includes(path)).map((path) => ({ path })),
  resources: async (context) => {
    const { cluster, host, options } = context;
    const tool = isControlPlane(host) && options.calicoctl;
    return [
      packages(CALICO_PACKAGES, directServers(cluster)),
      ...(tool
        ? [
            ...(await installAll(context, [{ artifact: CALICOCTL, version: CALICOCTL.version }])),
            directory(CALICOCTL_DIR),
            file(CALICOCTL_CONFIG, CALICOCTL_SETTINGS),
          ]
        : []),
    ];
  },
  hooks: {
    teardown: ({ remote, cluster }) => undoByScript(remote, CALICO_TEARDOWN, [cluster.spec.network.podCidr]),
  },
  async verify({ host, remote, fail }) {
    const { code, stderr } = await remote.script(CHECK, [CNI_CONFLIST, String(FELIX_HEALTH_PORT)], {
      timeoutMs: 4 * 60_000,
      okCodes: 'any',
    });
    if (code !== 0) fail('VERIFY_FAILED', `Calico gives pods on ${host.name} no network`, stderr);
  },
});

/** The network of the node, and Felix's own word. Whether Kubernetes calls the node Ready is asked by phase node-ready. */
const CHECK = `
deadline=$(($(date +%s) + 200))
ready() { says=$(${CURL} -sS -f -m 5 "http://localhost:$2/readiness" 2>&1); }
until [ -s "$1" ] && ready "$@"; do
  if [ "$(date +%s)" -ge "$deadline" ]; then
    [ -s "$1" ] || echo "$1 is missing: its container install-cni writes it" >&2
    ready "$@" || echo "Felix: \${says:-not ready}" >&2
    for log in /var/log/pods/kube-system_calico-node-*/*/*.log; do
      [ ! -e "$log" ] || { echo "$log:"; tail -n 8 "$log" | cut -c1-400; } >&2
    done
    exit 1
  fi
  sleep 0.5
done
`;
