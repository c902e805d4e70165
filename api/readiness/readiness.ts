import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../../store/index.ts';
import type { ApiConfig } from '../config.ts';
import type { Embedded } from '../embedded.ts';
import type { TemporalGateway } from '../temporal-gateway.ts';

/** What one look at a part of the service found: `ok`, or a word and a sentence that callers without a token may read. */
export type Finding = { state: 'ok' } | { state: Exclude<CheckState, 'ok'>; cause: string };

/** Words of `/readyz`. */
export const CHECK_STATES = ['ok', 'unreachable', 'not-writable', 'missing', 'full'] as const;
export type CheckState = (typeof CHECK_STATES)[number];

/**
 * One thing that the service needs for its work. A cause is a fixed sentence: no path, address or text of another
 * program; those go to the log, from `evidence`.
 */
export interface Check {
  /** A field of the answer of `/readyz`. */
  name: string;
  /** What `ok` means, for the API's documentation. */
  meaning: string;
  run(): Promise<Finding & { evidence?: unknown }>;
}

/** What a check may be made of. */
export interface ReadinessDeps {
  config: Pick<ApiConfig, 'dataDir' | 'minFreeMiB'>;
  store: Store;
  temporal: TemporalGateway;
  /** Null in an API process without a worker of its own. */
  embedded: Embedded | null;
}

/** A part of `/readyz`: the default export of a file in `parts/`. */
export const defineReadiness = (check: (deps: ReadinessDeps) => Check): ((deps: ReadinessDeps) => Check) => check;

export interface Report {
  ready: boolean;
  findings: Record<string, Finding>;
}

export interface Readiness {
  /** What is checked: the names of the findings, and what `ok` means. */
  parts: readonly Pick<Check, 'name' | 'meaning'>[];
  /** Never rejects, and answers within 2 s whatever hangs. */
  run(): Promise<Report>;
}

/** A look that takes longer is a part that does not answer, ms. */
const CHECK_TIMEOUT_MS = 2_000;
/** Lifetime of a report, ms: a thousand probes a second cost one check. */
const FRESH_MS = 500;

/** All checks side by side. A look that hangs is waited for no further, and not begun anew until it has ended. */
export function createReadiness(
  checks: readonly Check[],
  {
    logger,
    freshMs = FRESH_MS,
  }: {
    logger?: { warn(details: object, message: string): void; info(details: object, message: string): void };
    /** For tests. */
    freshMs?: number;
  } = {},
): Readiness {
  const running = new Map<string, Promise<Finding>>();
  const last = new Map<string, CheckState>();
  let report: Promise<Report> | undefined;
  /** When the report is too old; null while it is being made. */
  let until: number | null = null;

  const begin = (check: Check): Promise<Finding> => {
    const under = running.get(check.name);
    if (under) return under;
    const fresh = checkOnce(check)
      .then(({ evidence, ...finding }) => {
        markState(check.name, finding, evidence);
        return finding;
      })
      .finally(() => running.delete(check.name));
    running.set(check.name, fresh);
    return fresh;
  };

  const markState = (name: string, finding: Finding, evidence?: unknown): void => {
    const before = last.get(name) ?? 'ok';
    last.set(name, finding.state);
    if (finding.state === before) return;
    if (finding.state === 'ok') logger?.info({ part: name }, 'a readiness check passes again');
    else logger?.warn({ part: name, ...finding, err: evidence }, 'a readiness check fails');
  };

  const all = async (): Promise<Report> => {
    const found = await Promise.all(
      checks.map(async (check) => {
        const ended = new AbortController();
        const late = sleep(CHECK_TIMEOUT_MS, LATE, { signal: ended.signal }).catch(() => LATE);
        const finding = await Promise.race([begin(check), late]);
        ended.abort();
        if (finding === LATE) markState(check.name, LATE);
        return [check.name, finding] as const;
      }),
    );
    const findings = Object.fromEntries(found) as Report['findings'];
    return { ready: found.every(([, { state }]) => state === 'ok'), findings };
  };

  return {
    parts: checks,
    run() {
      if (report && (until === null || performance.now() < until)) return report;
      until = null;
      report = all().finally(() => {
        until = performance.now() + freshMs;
      });
      return report;
    },
  };
}

const LATE: Finding = { state: 'unreachable', cause: 'no answer within 2 s' };

/** A check is not meant to throw; when it does, it found that its part does not answer. */
async function checkOnce(check: Check): Promise<Finding & { evidence?: unknown }> {
  try {
    return await check.run();
  } catch (error) {
    return { state: 'unreachable', cause: 'no answer', evidence: error };
  }
}
