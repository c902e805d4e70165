import { KubewrightError } from '../../contracts/errors.ts';
import type { Redactor } from './redact.ts';

/** Causes of causes that are kept. */
const DEPTH = 4;

/**
 * The same error without secrets: message, evidence, field errors, causes and stacks. Causes are rebuilt from their texts,
 * because they may hold anything, and Temporal would store it. Anything that is not ours becomes INTERNAL.
 */
export function redactError(
  error: unknown,
  redactor: Redactor,
  where: { host?: string | undefined; phase?: string | undefined } = {},
): KubewrightError {
  const ours = KubewrightError.is(error) ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  const cause = ours === undefined ? error : ours.cause;
  const shown = new KubewrightError(ours?.code ?? 'INTERNAL', redactor.text(message), {
    host: ours?.host ?? where.host,
    phase: ours?.phase ?? where.phase,
    blames: ours?.blames,
    evidence: ours?.evidence === undefined ? undefined : redactor.cut(ours.evidence),
    errors: ours?.errors?.map((each) => ({ path: each.path, message: redactor.text(each.message) })),
    cause: redactCause(cause, redactor, DEPTH),
  });
  if (ours?.stack !== undefined) shown.stack = redactor.cut(ours.stack);
  return shown;
}

function redactCause(cause: unknown, redactor: Redactor, depth: number): Error | undefined {
  if (!(cause instanceof Error) || depth === 0) return undefined;
  const inner = redactCause(cause.cause, redactor, depth - 1);
  const shown = new Error(redactor.cut(cause.message), inner && { cause: inner });
  shown.name = cause.name;
  shown.stack = redactor.cut(cause.stack ?? '');
  return shown;
}
