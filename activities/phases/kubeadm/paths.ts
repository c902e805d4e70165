import { ETCD_PKI, KUBERNETES_DIR, KUBERNETES_PKI } from '../../kube/paths.ts';
import { STATE_DIR } from '../../resources/paths.ts';

/** kubeadm's own places are its constants (cmd/kubeadm/app/constants); the others are ours. */
export const KUBEADM_FILES = {
  /** InitConfiguration, ClusterConfiguration and those of kubelet and kube-proxy, as this control plane has them. */
  config: `${KUBERNETES_DIR}/kubeadm.yaml`,
  /** Changes of this host to the static pods, by name and kind of patch. */
  patches: `${KUBERNETES_DIR}/patches`,
  manifests: `${KUBERNETES_DIR}/manifests`,
  /** Files that kube-apiserver reads, mounted into its pod: encryption, admission, audit, authentication. */
  apiServerDir: `${KUBERNETES_DIR}/apiserver`,
  /** Serving certificates of controller manager and scheduler. */
  servingDir: `${KUBERNETES_DIR}/serving`,
  ca: `${KUBERNETES_PKI}/ca`,
  frontProxyCa: `${KUBERNETES_PKI}/front-proxy-ca`,
  etcdCa: `${KUBERNETES_PKI}/etcd/ca`,
  serviceAccount: `${KUBERNETES_PKI}/sa`,
  apiServerCert: `${KUBERNETES_PKI}/apiserver`,
  etcdClient: `${KUBERNETES_PKI}/apiserver-etcd-client`,
  /** Under the name that what asks etcd through a control plane looks for. */
  etcdCaCopy: `${KUBERNETES_PKI}/etcd-ca.crt`,
  /** With which the health check and operators ask the member of this host. */
  etcdHealth: `${ETCD_PKI}/health`,
  /** What was applied: not there before the host is a control plane. */
  record: `${STATE_DIR}/kubeadm-control-plane`,
  /** The token of a join, while it runs. */
  join: '/run/kubewright-kubeadm-join.yaml',
} as const;
