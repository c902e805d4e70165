import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, KubewrightError } from '../../contracts/errors.ts';
import type { Change } from '../../contracts/operation.ts';
import type { RemoteHost } from '../host/types.ts';
import type { PhaseContext, PhaseRun } from '../phases/phase.ts';

/** Default pause between two probes of `waitFor`, ms. */
const PROBE_INTERVAL_MS = 300;

/** What hooks and verify get: the context plus the host and bounded ways to wait and to fail. */
export function phaseRun(
  context: PhaseContext<unknown>,
  more: {
    phase: string;
    remote: RemoteHost;
    /** Absent: there is none to reach. */
    controlPlane?: () => Promise<RemoteHost>;
    changes: readonly Change[];
    verified: boolean;
    signal: AbortSignal;
  },
): PhaseRun<unknown> {
  const fail = (code: ErrorCode, message: string, evidence?: string, blames?: string[]): never => {
    throw new KubewrightError(code, message, {
      host: context.host.name,
      phase: more.phase,
      blames,
      evidence,
    });
  };
  return {
    ...context,
    remote: more.remote,
    controlPlane:
      more.controlPlane ??
      (() => Promise.reject(new KubewrightError('INTERNAL', 'no control plane can be reached here'))),
    changes: more.changes,
    verified: more.verified,
    signal: more.signal,
    fail,

    async waitFor(what, probe) {
      // A dry run waits for nothing: what is to come about is what the phases before this one would do.
      if (context.mode === 'check') return;
      const deadline = Date.now() + what.timeoutMs;
      for (;;) {
        const missing = await probe();
        if (missing === null) return;
        if (Date.now() >= deadline) {
          const { missing: evidence, blames } = typeof missing === 'string' ? { missing, blames: undefined } : missing;
          fail(what.code, `${what.message} (waited ${Math.round(what.timeoutMs / 1000)} s)`, evidence, blames);
        }
        await sleep(what.intervalMs ?? PROBE_INTERVAL_MS, undefined, { signal: more.signal });
      }
    },

    async unitJournal(unit, lines = 30) {
      const { stdout } = await more.remote.exec(
        ['journalctl', '--unit', unit, '--no-pager', '--output', 'cat', '--lines', String(lines)],
        { okCodes: 'any', timeoutMs: 10_000 },
      );
      return stdout;
    },
  };
}
