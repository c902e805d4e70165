/** Our own configuration on a host. */
export const KUBEWRIGHT_DIR = '/etc/kubewright';
/** The proxies of `spec.proxy` for package managers and downloads. */
export const PROXY_ENV = `${KUBEWRIGHT_DIR}/proxy.env`;
