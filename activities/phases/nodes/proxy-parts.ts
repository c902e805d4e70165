import * as identities from '../../kube/identities.ts';
import { NODE_FILES as FILES } from '../../kube/node-files.ts';
import { BIN_DIR } from '../../kube/paths.ts';
import { leafFiles } from '../../kube/pki-files.ts';
import { kubeconfigWithFiles } from '../../render/kubeconfig-files.ts';
import { daemonUnit, flags } from '../../render/unit.ts';
import { file } from '../../resources/file.ts';
import type { Resource } from '../../resources/resource.ts';
import { service } from '../../resources/service.ts';
import { apiServerUrl } from '../capabilities/control-plane-endpoint.ts';
import type { PhaseContext } from '../phase.ts';
import { kubeProxyConfig } from './kube-proxy.ts';
import { type NodeOptions, runsProxy } from './options.ts';

type Context = PhaseContext<NodeOptions>;

/** A kubeconfig of a daemon of a node, for the endpoint. */
export const nodeKubeconfig = (context: Context, user: string, pair: { cert: string; key: string }): string =>
  kubeconfigWithFiles({
    cluster: context.cluster.metadata.name,
    user,
    server: apiServerUrl(context),
    ca: FILES.ca,
    ...pair,
  });

/** kube-proxy of a host as a systemd unit; null where none runs. */
export async function proxyParts(
  context: Context,
): Promise<{ certificate: Awaited<ReturnType<typeof leafFiles>>; files: Resource[]; unit: Resource } | null> {
  if (!runsProxy(context.options.kubeProxy)) return null;
  const certificate = await leafFiles(context.pki, identities.kubeProxyClient(context.host), FILES.proxyClient);
  return {
    certificate,
    files: proxyFiles(context, nodeKubeconfig(context, 'system:kube-proxy', certificate)),
    unit: service('kube-proxy', {
      unit: proxyUnit(context),
      restartOn: [`${BIN_DIR}/kube-proxy`, FILES.ca, FILES.proxyConfig, FILES.proxyKubeconfig, certificate.cert],
    }),
  };
}

/** What kube-proxy reads. */
const proxyFiles = ({ cluster, host, options }: Context, kubeconfig: string) => [
  file(FILES.proxyKubeconfig, kubeconfig, { mode: 0o600 }),
  file(
    FILES.proxyConfig,
    kubeProxyConfig({
      mode: options.kubeProxy.mode,
      nodeName: host.name,
      podCidr: cluster.spec.network.podCidr,
      kubeconfig: FILES.proxyKubeconfig,
      featureGates: options.kubeProxy.featureGates,
      overrides: options.kubeProxy.config,
    }),
    { mode: 0o600 },
  ),
];

function proxyUnit({ options }: Context): string {
  return daemonUnit({
    description: 'Kubernetes service proxy',
    documentation: 'https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/',
    exec: [
      `${BIN_DIR}/kube-proxy`,
      ...flags({ config: FILES.proxyConfig, v: options.kubeProxy.logLevel, ...options.kubeProxy.extraArgs }),
    ],
  });
}
