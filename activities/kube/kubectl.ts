import { HOST_PATH } from '../host/host-path.ts';
import type { ExecOptions, ExecResult, RemoteHost } from '../host/types.ts';
import { KUBECTL_CACHE_DIR } from '../resources/paths.ts';
import { ADMIN_KUBECONFIG, BIN_DIR } from './paths.ts';

/** Environment of kubectl on a control plane: who it is, and where it may keep what it learns of the API. */
export const KUBECTL_ENV = {
  KUBECONFIG: ADMIN_KUBECONFIG,
  HOME: '/root',
  KUBECACHEDIR: KUBECTL_CACHE_DIR,
  // sudo and login shells of some distributions leave /usr/local out.
  PATH: HOST_PATH,
} as const;

/** Run kubectl on a control plane as the cluster's administrator. */
export function kubectl(
  remote: RemoteHost,
  args: readonly string[],
  options: Omit<ExecOptions, 'env'> = {},
): Promise<ExecResult> {
  return remote.exec([`${BIN_DIR}/kubectl`, ...args], { ...options, env: KUBECTL_ENV });
}
