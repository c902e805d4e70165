import type { Problem } from '../../contracts/problem.ts';
import { CLI_EXIT } from './exit-codes.ts';

/** The service answered with a problem document (RFC 9457), or with another error. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: number;
  readonly problem: Partial<Problem>;

  constructor(status: number, problem: Partial<Problem>) {
    super(problem.detail ?? `HTTP ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/** An error that the command found itself, with its exit code. */
export class CliError extends Error {
  override name = 'CliError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** What an error says on standard error, and the exit code: cause, code, place, evidence, what to do. Pure. */
export function explain(error: unknown): { text: string; code: number } {
  if (error instanceof ApiError) {
    const { problem, status } = error;
    const lines = [
      `kubewright: ${indented(error.message)}${problem.code === undefined ? '' : ` (${problem.code})`}`,
      ...(problem.errors ?? []).map(({ path, message }) => `  ${path}: ${indented(message)}`),
      ...(problem.host === undefined ? [] : [`  host: ${problem.host}`]),
      ...(problem.evidence === undefined ? [] : ['  evidence:', `    ${problem.evidence.replaceAll('\n', '\n    ')}`]),
      ...(problem.hint === undefined ? [] : [`  what to do: ${problem.hint}`]),
    ];
    return { text: lines.join('\n'), code: codeOf(status) };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    text: `kubewright: ${indented(message)}`,
    code: error instanceof CliError ? error.exitCode : CLI_EXIT.failed,
  };
}

/** Messages may quote what was read. Each further line is indented: none can pass for a verdict. */
const indented = (text: string): string => text.replaceAll('\n', '\n  ');

function codeOf(status: number): number {
  if (status === 401 || status === 403) return CLI_EXIT.forbidden;
  if (status === 404) return CLI_EXIT.notFound;
  return status >= 500 ? CLI_EXIT.unavailable : CLI_EXIT.refused;
}
