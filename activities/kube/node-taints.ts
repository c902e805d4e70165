import type { Host } from '../../contracts/host.ts';
import { isControlPlane, isWorker } from './network.ts';

export interface Taint {
  key: string;
  value?: string;
  effect: string;
}

export const CONTROL_PLANE_LABEL = 'node-role.kubernetes.io/control-plane';
/** Load balancers, those of a cloud and MetalLB alike, send nothing to a node that carries it. */
const NO_LOAD_BALANCER_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';
const WORKER_LABEL = 'node-role.kubernetes.io/worker';

/** A control plane that takes no pods of users. */
const isReserved = (host: Host): boolean => isControlPlane(host) && !isWorker(host);

/** The taints that the spec gives a node: its own, and one that keeps pods off a control plane that is no worker. */
export function desiredTaints(host: Host): Taint[] {
  const own = host.taints.map(({ key, value, effect }) => ({ key, ...(value === '' ? {} : { value }), effect }));
  return isReserved(host) ? [{ key: CONTROL_PLANE_LABEL, effect: 'NoSchedule' }, ...own] : own;
}

/** The labels that the spec gives a node: its roles and its own. */
export function desiredLabels(host: Host): Record<string, string> {
  return {
    ...(isControlPlane(host) ? { [CONTROL_PLANE_LABEL]: '' } : {}),
    ...(isWorker(host) ? { [WORKER_LABEL]: '' } : {}),
    ...(isReserved(host) ? { [NO_LOAD_BALANCER_LABEL]: '' } : {}),
    ...host.labels,
  };
}
