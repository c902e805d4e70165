import { KUBERNETES_PKI, KUBEWRIGHT_DIR } from '../../kube/paths.ts';

export const CONFIG_DIR = `${KUBEWRIGHT_DIR}/flannel`;
/** With subnets in etcd flanneld does not read it: a changed one restarts flanneld all the same. */
export const NET_CONF = `${CONFIG_DIR}/net-conf.json`;
export const KUBECONFIG = `${CONFIG_DIR}/kubeconfig`;

const base = `${KUBERNETES_PKI}/flannel-etcd`;
/** flanneld as a client of etcd. */
export const ETCD_FILES = { base, ca: `${base}-ca.crt`, cert: `${base}.crt`, key: `${base}.key` } as const;
