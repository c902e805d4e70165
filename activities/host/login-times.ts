import type { SshTarget } from '../../contracts/host.ts';

/** The first call of a dial has all of the patience; a timer may be a little early or late, ms. */
const SLACK_MS = 100;

/**
 * How long a login may take, ms. A machine that hangs is given up when the whole time for it is over (`leftMs`); one that
 * has greeted is known to work, and may take its time. What the spec says goes before all of it.
 */
export function loginTimes(
  { loginTimeoutSeconds }: Pick<SshTarget, 'loginTimeoutSeconds'>,
  limits: { readyTimeoutMs: number; loginTimeoutMs: number; retryForMs: number },
  leftMs: number,
): { readyTimeoutMs: number; loginTimeoutMs: number } {
  if (loginTimeoutSeconds !== undefined) {
    return { readyTimeoutMs: loginTimeoutSeconds * 1000, loginTimeoutMs: loginTimeoutSeconds * 1000 };
  }
  const { readyTimeoutMs, loginTimeoutMs, retryForMs } = limits;
  const first = leftMs >= retryForMs - SLACK_MS;
  return { readyTimeoutMs: first ? readyTimeoutMs : Math.min(readyTimeoutMs, leftMs), loginTimeoutMs };
}
