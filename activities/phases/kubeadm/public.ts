/** What the other phases of engine kubeadm use of the folder of its control planes. */
export { KUBEADM } from './artifacts.ts';
export { KUBEADM_FILES } from './paths.ts';
export { workerJoin } from './worker-join.ts';
