import { keepEnd } from '../../contracts/cut.ts';
import { type ErrorCode, KubewrightError } from '../../contracts/errors.ts';
import { LIMITS } from '../../contracts/limits.ts';
import type { ExecOptions, ExecResult } from './types.ts';

/** A command that failed, with what it printed until then: the journal keeps that too. */
export class CommandError extends KubewrightError {
  readonly result: ExecResult;
  /** The host has said that it began, or how it ended. */
  readonly began: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    more: { host: string; evidence: string; result: ExecResult; began?: boolean; cause?: unknown },
  ) {
    super(code, message, more);
    this.result = more.result;
    this.began = more.began ?? true;
  }
}

/** The last lines, at most as long as one error may carry. */
export function evidenceTail(text: string): string {
  return keepEnd(text.trim(), LIMITS.evidenceChars);
}

/** A short name of the command for messages: the program, or `script`. */
export function commandName(argv: readonly string[]): string {
  return argv[0] === 'sh' && argv[2] === '-s' ? 'a script' : (argv[0] ?? '').slice(0, 80);
}

/** Throws COMMAND_FAILED when the code is not among the accepted ones. */
export function checkCode(
  host: string,
  argv: readonly string[],
  result: ExecResult,
  okCodes: ExecOptions['okCodes'] = [0],
  evidence = evidenceTail(result.stderr.trim() === '' ? result.stdout : result.stderr),
): ExecResult {
  if (okCodes === 'any' || (okCodes.includes(result.code) && !result.signal)) return result;
  const how = result.signal ? `was ended by ${result.signal}` : `failed with code ${result.code}`;
  throw new CommandError('COMMAND_FAILED', `${commandName(argv)} ${how} on ${host}`, { host, evidence, result });
}
