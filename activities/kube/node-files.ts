import { KUBERNETES_DIR, KUBERNETES_PKI } from './paths.ts';

/** Where a node keeps what its kubelet and those that wait for it use. */
export const NODE_FILES = {
  ca: `${KUBERNETES_PKI}/ca.crt`,
  kubeletConfig: `${KUBERNETES_DIR}/kubelet.yaml`,
  kubeletKubeconfig: `${KUBERNETES_DIR}/kubelet.kubeconfig`,
  /** Without `.crt` and `.key`. */
  kubeletClient: `${KUBERNETES_PKI}/kubelet-client`,
  kubeletServer: `${KUBERNETES_PKI}/kubelet-server`,
  proxyConfig: `${KUBERNETES_DIR}/kube-proxy.yaml`,
  proxyKubeconfig: `${KUBERNETES_DIR}/kube-proxy.kubeconfig`,
  proxyClient: `${KUBERNETES_PKI}/kube-proxy`,
  /** A link of the unit's making: which file has the real name servers is decided on the host. */
  resolvConf: '/run/kubewright/resolv.conf',
} as const;

/** A node's own object, in one line of JSON. Its kubelet's certificate may read it. */
export const nodeObjectUrl = (server: string, node: string): string => `${server}/api/v1/nodes/${node}?pretty=false`;
