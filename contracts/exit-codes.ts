/**
 * Exit codes of the API and the worker, for what supervises them (systemd, Docker, the API of an embedded worker). The
 * numbers are those of sysexits.h where it has one. docs/operations.md has the action for each. Zod-free.
 */
export const EXIT = {
  /** Ended on request: a signal, or the API that started it. */
  stopped: 0,
  /** Could not start, or an error that was not caught: start it again. */
  failed: 1,
  /** EX_UNAVAILABLE. Temporal is gone for longer than the process waits for it: start it again. */
  temporalLost: 69,
  /** EX_SOFTWARE. A worker ended of itself and did not stay up when it was started again: start it again. */
  workerLost: 70,
  /** EX_CONFIG. The configuration is wrong: starting it again changes nothing. */
  configuration: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
