import type { Host } from '../../contracts/host.ts';
import { isControlPlane, isWorker } from '../kube/network.ts';

/** The units of ours on a host that have a file of their own. Pure. */
export function unitsOf(host: Host): string[] {
  const kube = isControlPlane(host) || isWorker(host);
  return [
    ...(kube ? ['containerd', 'kubelet', 'kube-proxy', 'flanneld'] : []),
    ...(isControlPlane(host) ? ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] : []),
    ...(host.roles.includes('etcd') ? ['etcd'] : []),
    ...(host.roles.includes('registry') ? ['registry'] : []),
  ].map((name) => `${name}.service`);
}
