import { API_SERVER_PORT, BIN_DIR, CONTROLLER_MANAGER_PORT, SCHEDULER_PORT } from '../../kube/paths.ts';
import type { RequiredPort } from '../requires.ts';

const listens = (binary: string, port: number, from: RequiredPort['from']): RequiredPort => ({
  protocol: 'tcp',
  port,
  what: binary,
  holder: `${BIN_DIR}/${binary}`,
  from,
});

/** Ports of the daemons of a control plane. In images the programs have the same place as on hosts. */
export const controlPlanePorts: readonly RequiredPort[] = [
  listens('kube-apiserver', API_SERVER_PORT, ['all', 'pods', 'api-clients']),
  listens('kube-controller-manager', CONTROLLER_MANAGER_PORT, []),
  listens('kube-scheduler', SCHEDULER_PORT, []),
];
