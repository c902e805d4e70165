import type { ErrorEntry } from '../../contracts/error-catalogue.ts';

/** Exit codes of `kubewright`, by what a script should do next. docs/cli.md has the table. */
export const CLI_EXIT = {
  ok: 0,
  /** An error without a class: a defect, or a local file that cannot be read. */
  failed: 1,
  /** Bad arguments: nothing was asked. */
  usage: 2,
  /** The service refused the request: correct it. */
  refused: 3,
  /** No valid token, or one without the right. */
  forbidden: 4,
  notFound: 5,
  /** The service, or what it needs, does not answer: try again. */
  unavailable: 6,
  /** The operation was cancelled or lost. */
  ended: 7,
  /** The operation still runs when --timeout is over. */
  timeout: 8,
} as const;

/** Exit codes of an operation that failed, or is blocked, by the class of its first error. */
export const CLASS_EXIT: Readonly<Record<ErrorEntry['class'], number>> = {
  request: 20,
  ssh: 21,
  host: 22,
  artifact: 23,
  phase: 24,
  kubernetes: 25,
  internal: 26,
};
