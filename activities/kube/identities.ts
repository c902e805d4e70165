import { type ClusterSpec, internalAddress } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import { ipv4 } from '../../contracts/primitives.ts';
import type { LeafRequest } from '../pki/types.ts';
import { apiServiceAddress } from './network.ts';

/** Groups of ours that RBAC binds (see rbac.ts); none of them is system:masters, so a binding can be taken away. */
export const ADMIN_GROUP = 'kubewright:cluster-admins';
/** Groups of people: may look at everything but secrets; may change what runs. */
export const VIEWER_GROUP = 'kubewright:viewers';
export const EDITOR_GROUP = 'kubewright:editors';
export const KUBELET_CLIENT_GROUP = 'kubewright:kubelet-clients';
/** CN of the certificate with which the API server forwards requests to aggregated ones. */
export const FRONT_PROXY_NAME = 'front-proxy-client';

/** A client of the API server: `name` is where its certificate is kept, the others are its user and groups. */
export const kubernetesClient = (name: string, commonName: string, ...organizations: string[]): LeafRequest => ({
  authority: 'kubernetes',
  name,
  commonName,
  ...(organizations.length > 0 ? { organizations } : {}),
  usages: ['client'],
});

/** The cluster's administrator, by a binding. */
export const adminClient = (): LeafRequest => kubernetesClient('admin', 'kubewright-admin', ADMIN_GROUP);
/** A person, by the name of their token. */
export const personalClient = (person: string, group: string): LeafRequest =>
  kubernetesClient(`person/${person}`, person, group);
/** Above RBAC: makes the first bindings. Lives on control planes only, which hold the CA's key anyway. */
export const superAdminClient = (): LeafRequest =>
  kubernetesClient('super-admin', 'kubewright-super-admin', 'system:masters');
/** Authenticated and nothing more: may read /livez, /readyz and /version. */
export const healthClient = (host: Host): LeafRequest => kubernetesClient(`health/${host.name}`, 'kubewright:health');
export const controllerManagerClient = (host: Host): LeafRequest =>
  kubernetesClient(`controller-manager/${host.name}`, 'system:kube-controller-manager');
export const schedulerClient = (host: Host): LeafRequest =>
  kubernetesClient(`scheduler/${host.name}`, 'system:kube-scheduler');
/** The Node authorizer and NodeRestriction go by this name and group. */
export const kubeletClient = (host: Host): LeafRequest =>
  kubernetesClient(`kubelet/${host.name}`, `system:node:${host.name}`, 'system:nodes');
export const kubeProxyClient = (host: Host): LeafRequest =>
  kubernetesClient(`kube-proxy/${host.name}`, 'system:kube-proxy');
/** The API server as client of kubelets. */
export const apiServerKubeletClient = (host: Host): LeafRequest =>
  kubernetesClient(`apiserver-kubelet-client/${host.name}`, 'kube-apiserver-kubelet-client', KUBELET_CLIENT_GROUP);

export const apiServerEtcdClient = (host: Host): LeafRequest => ({
  authority: 'etcd',
  name: `apiserver-etcd-client/${host.name}`,
  commonName: 'kube-apiserver-etcd-client',
  usages: ['client'],
});
export const frontProxyClient = (host: Host): LeafRequest => ({
  authority: 'front-proxy',
  name: `front-proxy/${host.name}`,
  commonName: FRONT_PROXY_NAME,
  usages: ['client'],
});

/** The API server's own certificate, for every name and address by which it is reached. */
export function apiServerServer(cluster: ClusterSpec, host: Host, more: readonly string[]): LeafRequest {
  const domain = cluster.spec.network.clusterDomain;
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', `kubernetes.default.svc.${domain}`];
  const names = [...service, 'localhost', host.name, host.address, internalAddress(host), ...more];
  return {
    authority: 'kubernetes',
    name: `apiserver/${host.name}`,
    commonName: 'kube-apiserver',
    ...subjectNames([...names, '127.0.0.1', apiServiceAddress(cluster)]),
    usages: ['server'],
  };
}

/** A certificate for a port on loopback. */
export const loopbackServer = (component: string, host: Host): LeafRequest => ({
  authority: 'kubernetes',
  name: `${component}-server/${host.name}`,
  commonName: component,
  dnsNames: ['localhost'],
  ipAddresses: ['127.0.0.1'],
  usages: ['server'],
});

/** The kubelet's serving certificate: the API server and metrics-server verify it. */
export const kubeletServer = (host: Host): LeafRequest => ({
  authority: 'kubernetes',
  name: `kubelet-server/${host.name}`,
  commonName: `system:node:${host.name}`,
  ...subjectNames([host.name, host.address, internalAddress(host)]),
  usages: ['server'],
});

/**
 * An etcd member towards its clients or its peers, also by these further names. Both usages: the member's own gateway is a
 * client of itself.
 */
export const etcdMember = (host: Host, side: 'server' | 'peer', names: readonly string[] = []): LeafRequest => ({
  authority: 'etcd',
  name: `etcd-${side}/${host.name}`,
  commonName: host.name,
  ...subjectNames([host.name, internalAddress(host), 'localhost', '127.0.0.1', ...names]),
  usages: ['server', 'client'],
});
export const etcdHealthClient = (host: Host): LeafRequest => ({
  authority: 'etcd',
  name: `etcd-health/${host.name}`,
  commonName: 'kubewright-health',
  usages: ['client'],
});

/** Addresses and names separated, each once, in the order given. */
export function subjectNames(all: readonly string[]): { dnsNames: string[]; ipAddresses: string[] } {
  const unique = [...new Set(all)];
  const isAddress = (text: string) => ipv4.safeParse(text).success;
  return { dnsNames: unique.filter((text) => !isAddress(text)), ipAddresses: unique.filter(isAddress) };
}
