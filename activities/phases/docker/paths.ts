import { KUBEWRIGHT_DIR } from '../../kube/paths.ts';

export const DAEMON_JSON = '/etc/docker/daemon.json';
/** Certificates of registries; Docker reads them at every pull. */
export const DOCKER_CERTS_D = '/etc/docker/certs.d';
/** What dockerd keeps where `data-root` says nothing else. */
export const DATA_ROOT = '/var/lib/docker';
export const CRI_SOCKET = '/run/cri-dockerd.sock';
export const CRI_DOCKERD_DIR = '/var/lib/cri-dockerd';
/** The proxies of `spec.proxy` for dockerd, which starts anew when they change. */
export const DOCKER_PROXY_ENV = `${KUBEWRIGHT_DIR}/docker-proxy.env`;
/** runc for hosts without CAP_SYS_RESOURCE. */
export const RUNC_WRAPPER = '/usr/local/sbin/kubewright-runc';
/** Logins to registries, which the kubelet hands to the runtime at each pull: in its root folder (pkg/credentialprovider/config.go). */
export const KUBELET_LOGINS = '/var/lib/kubelet/config.json';
