import { setTimeout as sleep } from 'node:timers/promises';
import { KubewrightError } from '../../contracts/errors.ts';
import { LIMITS } from '../../contracts/limits.ts';
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

/** How long a question to an API server is asked again that cannot answer it, ms, and the pause in between. */
const ASK_MS = 40_000;
const ASK_PAUSE_MS = 1_000;

/**
 * Ask the API server with `kubectl get`. Whatever else than an answer comes (a refused connection, 429, Unauthorized or
 * Forbidden of a server that is starting, a cut output) is asked again for 40 s and never taken for "there is none"; then
 * throws STATE_UNKNOWN with kubectl's last words. `--ignore-not-found` makes an absent object an answer.
 */
export async function askKubectl(
  { remote, signal }: { remote: RemoteHost; signal: AbortSignal },
  args: readonly string[],
  options: Omit<ExecOptions, 'env' | 'okCodes'> & { retryForMs?: number } = {},
): Promise<ExecResult> {
  const { retryForMs = ASK_MS, ...more } = options;
  const deadline = performance.now() + retryForMs;
  for (;;) {
    const result = await kubectl(remote, args, { ...more, okCodes: 'any' });
    if (result.code === 0 && !result.truncated) return result;
    if (result.truncated || performance.now() >= deadline) {
      throw new KubewrightError(
        'STATE_UNKNOWN',
        `the API server does not answer: kubectl ${args.slice(0, 3).join(' ')}`,
        {
          host: remote.name,
          evidence: result.truncated
            ? 'the answer is larger than what is read of it'
            : result.stderr.slice(-LIMITS.evidenceChars),
        },
      );
    }
    await sleep(Math.min(ASK_PAUSE_MS, retryForMs), undefined, { signal });
  }
}

/** Run kubectl on a control plane as the cluster's administrator. */
export function kubectl(
  remote: RemoteHost,
  args: readonly string[],
  options: Omit<ExecOptions, 'env'> = {},
): Promise<ExecResult> {
  return remote.exec([`${BIN_DIR}/kubectl`, ...args], { ...options, env: KUBECTL_ENV });
}
