import { KUBEWRIGHT_DIR, PROXY_ENV } from '../host/own-paths.ts';

export { KUBEWRIGHT_DIR, PROXY_ENV };

/** Where things live on a host, and the fixed names and ports that more than one phase needs. */

/** Every binary that we install. */
export const BIN_DIR = '/usr/local/bin';
/** cluster-admin; control planes only, mode 0600. */
export const ADMIN_KUBECONFIG = `${KUBEWRIGHT_DIR}/admin.kubeconfig`;

export const KUBERNETES_DIR = '/etc/kubernetes';
export const KUBERNETES_PKI = `${KUBERNETES_DIR}/pki`;
export const API_SERVER_PORT = 6443;
export const CONTROLLER_MANAGER_PORT = 10257;
export const SCHEDULER_PORT = 10259;
export const KUBELET_PORT = 10250;
export const KUBELET_HEALTH_PORT = 10248;
export const KUBE_PROXY_METRICS_PORT = 10249;
export const KUBE_PROXY_HEALTH_PORT = 10256;

export const ETCD_DIR = '/etc/etcd';
export const ETCD_PKI = `${ETCD_DIR}/pki`;
export const ETCD_CLIENT_PORT = 2379;
export const ETCD_PEER_PORT = 2380;

export const CONTAINERD_DIR = '/etc/containerd';
export const CONTAINERD_CERTS_D = `${CONTAINERD_DIR}/certs.d`;

/** CNI plugins and network configuration: the defaults of containerd and of every network add-on. */
export const CNI_BIN_DIR = '/opt/cni/bin';
export const CNI_CONF_DIR = '/etc/cni/net.d';

/** Any API server of a cluster with several control planes: a name with many addresses, in every host's /etc/hosts. */
export const API_SERVERS_HOSTNAME = 'api.kubewright.internal';

/** The cluster's private registry: this name is in every host's /etc/hosts (phase prepare). */
export const REGISTRY_HOSTNAME = 'registry.kubewright.internal';
export const REGISTRY_PORT = 5000;
/** host:port as image references name it. */
export const REGISTRY_ENDPOINT = `${REGISTRY_HOSTNAME}:${REGISTRY_PORT}`;
export const REGISTRY_DIR = '/etc/kubewright/registry';
export const REGISTRY_STATE_DIR = '/var/lib/registry';
