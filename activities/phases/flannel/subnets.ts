import { WAIT_URL } from '../../kube/lib.ts';
import { NODE_FILES, nodeObjectUrl } from '../../kube/node-files.ts';
import { KUBERNETES_PKI } from '../../kube/paths.ts';
import { leafFiles } from '../../kube/pki-files.ts';
import { kubeconfigWithFiles } from '../../render/kubeconfig-files.ts';
import { file } from '../../resources/file.ts';
import type { Resource } from '../../resources/resource.ts';
import { apiServerUrl } from '../capabilities/control-plane-endpoint.ts';
import { kubernetesStore } from '../capabilities/kubernetes-store.ts';
import type { PhaseContext } from '../phase.ts';
import { flannelClient, flannelEtcdClient } from './identity.ts';
import { type EtcdSubnets, etcdSubnetsOf, type FlannelOptions } from './options.ts';
import { ETCD_FILES, KUBECONFIG, NET_CONF } from './paths.ts';

/** How flanneld gets the subnet of its node. */
export interface SubnetAccess {
  /** Certificates; the folder of the configuration is behind them. */
  certificates: readonly Resource[];
  /** What lies in that folder. */
  files: readonly Resource[];
  flags: Readonly<Record<string, string | boolean>>;
  restartOn: readonly string[];
  /** What has to be true before it starts; null: nothing that another unit does not wait for. */
  startPre: string | null;
}

/** Access by the subnet manager that the options name. */
export function subnetAccess(context: PhaseContext<FlannelOptions>): Promise<SubnetAccess> {
  const etcd = etcdSubnetsOf(context.options);
  return etcd ? fromEtcd(context, etcd) : fromKubernetes(context);
}

/** Each node's podCIDR. */
async function fromKubernetes(context: PhaseContext<FlannelOptions>): Promise<SubnetAccess> {
  const { cluster, host, pki } = context;
  const user = flannelClient(host);
  const client = await leafFiles(pki, user, `${KUBERNETES_PKI}/flannel`);
  const kubeconfig = kubeconfigWithFiles({
    cluster: cluster.metadata.name,
    user: user.commonName,
    server: apiServerUrl(context),
    ca: NODE_FILES.ca,
    cert: client.cert,
    key: client.key,
  });
  const node = nodeObjectUrl(apiServerUrl(context), host.name);
  return {
    certificates: client.resources,
    files: [file(KUBECONFIG, kubeconfig, { mode: 0o600 })],
    flags: { 'kube-subnet-mgr': true, 'kubeconfig-file': KUBECONFIG, 'net-config-path': NET_CONF },
    restartOn: [KUBECONFIG, client.cert],
    // flanneld gives up where its node has no subnet yet.
    startPre: `${WAIT_URL} 60 ${node} ${NODE_FILES.ca} ${client.cert} ${client.key} '"podCIDR":'`,
  };
}

/** Leases that nodes take by themselves, below a prefix that their certificate is for. */
async function fromEtcd(context: PhaseContext<FlannelOptions>, etcd: EtcdSubnets): Promise<SubnetAccess> {
  const { servers } = context.offer(kubernetesStore);
  const { ca, cert, key } = ETCD_FILES;
  return {
    certificates: await etcdCertificates(context, etcd),
    files: [],
    flags: {
      'etcd-endpoints': servers.join(','),
      'etcd-prefix': etcd.prefix,
      'etcd-cafile': ca,
      'etcd-certfile': cert,
      'etcd-keyfile': key,
    },
    restartOn: [ca, cert],
    startPre: null,
  };
}

async function etcdCertificates(
  context: PhaseContext<FlannelOptions>,
  { credential }: EtcdSubnets,
): Promise<Resource[]> {
  const { host, pki, offer } = context;
  const { ca, cert, key } = ETCD_FILES;
  const { clientCertificate } = offer(kubernetesStore);
  if (credential === null || clientCertificate === null) {
    const client = await leafFiles(pki, flannelEtcdClient(host), ETCD_FILES.base);
    return [file(ca, await pki.ca('etcd')), ...client.resources];
  }
  const opened = await context.clientCertificate({
    credential: { name: credential },
    places: clientCertificate.places,
  });
  return [file(ca, opened.ca), file(cert, opened.certificate), file(key, opened.privateKey, { mode: 0o600 })];
}
