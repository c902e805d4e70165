import { KubewrightError } from '../../contracts/errors.ts';

/** Between two tries, ms. */
const PAUSE_MS = 500;
/** What one try gets at least, ms, however little of the whole time is left. */
const LEAST_MS = 2_000;

/**
 * Try to log in for `retryForMs` (0: once): a restarted sshd, a reboot or a short break of the network is forgiven, and
 * a host that stays away is named within a known time. `login` gets the time that it may take, ms. Throws its last error.
 */
export async function dial<T>(
  login: (leftMs: number) => Promise<T>,
  options: { retryForMs: number; passes: (error: unknown) => boolean; signal: AbortSignal },
): Promise<T> {
  const { retryForMs, passes, signal } = options;
  const until = performance.now() + retryForMs;
  for (;;) {
    try {
      return await login(Math.max(Math.round(until - performance.now()), LEAST_MS));
    } catch (error) {
      if (!passes(error) || signal.aborted) throw error;
      if (performance.now() + PAUSE_MS >= until) throw retryForMs > 0 ? worn(error, retryForMs) : error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** The error, saying that it was not just one try. */
function worn(error: unknown, retryForMs: number): unknown {
  if (!KubewrightError.is(error)) return error;
  const { code, message, host, evidence } = error;
  const text = `${message} (tried for ${Math.round(retryForMs / 1000)} s)`;
  return new KubewrightError(code, text, { cause: error.cause, host, evidence });
}
