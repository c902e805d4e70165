import { keepEnd } from './cut.ts';
import { ERRORS, type ErrorEntry } from './error-catalogue.ts';
import { LIMITS } from './limits.ts';
import { printable, printableLine } from './printable.ts';
import type { ErrorReport } from './status.ts';

export type { ErrorReport } from './status.ts';
export { ERRORS, type ErrorEntry };

/** A code of the catalogue. */
export type ErrorCode = keyof typeof ERRORS;

const symbol = Symbol.for('kubewright.error');

/**
 * The one error class of ours. Recognised by symbol, so that two module copies agree. Message and evidence may quote what
 * a host said, and end in logs, answers and terminals: both are made printable here, once for all of them.
 */
export class KubewrightError extends Error {
  readonly [symbol] = true;
  readonly code: ErrorCode;
  readonly host: string | undefined;
  readonly phase: string | undefined;
  readonly blames: string[] | undefined;
  readonly evidence: string | undefined;
  readonly errors: { path: string; message: string }[] | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    more: {
      cause?: unknown;
      host?: string | undefined;
      phase?: string | undefined;
      blames?: string[] | undefined;
      evidence?: string | undefined;
      errors?: { path: string; message: string }[] | undefined;
    } = {},
  ) {
    super(printableLine(message), more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'KubewrightError';
    this.code = code;
    this.host = more.host;
    this.phase = more.phase;
    this.blames = more.blames;
    this.evidence = more.evidence === undefined ? undefined : keepEnd(printable(more.evidence), LIMITS.evidenceChars);
    this.errors = more.errors;
  }

  /** The catalogue's entry of this error. */
  get entry(): ErrorEntry {
    return ERRORS[this.code];
  }

  /** The plain data of this error. */
  report(): ErrorReport {
    const { code, message, host, phase, blames, evidence, errors } = this;
    return { code, message, host, phase, blames, evidence, errors };
  }

  /** The error of a report that came from elsewhere. */
  static from({ code, message, ...more }: ErrorReport): KubewrightError {
    return new KubewrightError(code, message, more);
  }

  static is(value: unknown): value is KubewrightError {
    return typeof value === 'object' && value !== null && symbol in value;
  }
}

/** True when the text names an entry of the catalogue. */
export function isErrorCode(text: string | null | undefined): text is ErrorCode {
  return typeof text === 'string' && Object.hasOwn(ERRORS, text);
}
