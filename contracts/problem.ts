import { z } from 'zod';
import { keepEnd, keepEnds } from './cut.ts';
import { ERRORS, type ErrorCode, type ErrorReport } from './errors.ts';

/** Media type of error answers (RFC 9457). */
export const PROBLEM_TYPE = 'application/problem+json';

const codes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** An error answer: RFC 9457, with our code, hint and evidence. */
export const problem = z.object({
  type: z.string().max(200),
  title: z.string().max(200),
  status: z.int().min(400).max(599),
  detail: z.string().max(4000).describe('What happened'),
  code: z.enum(codes).describe('Code of the error catalogue (docs/errors.md)'),
  hint: z.string().max(1000).describe('What to do next'),
  requestId: z.string().max(200).optional(),
  host: z.string().max(253).optional(),
  phase: z.string().max(63).optional(),
  evidence: z.string().max(4000).optional(),
  errors: z
    .array(z.object({ path: z.string().max(1000), message: z.string().max(2000) }))
    .max(200)
    .optional(),
});
export type Problem = z.infer<typeof problem>;

/** The problem document of an error. */
export function problemOf(report: ErrorReport, requestId?: string): Problem {
  const { title, status, hint } = ERRORS[report.code];
  return {
    type: `urn:kubewright:error:${report.code}`,
    title,
    status,
    detail: keepEnds(report.message, 4000),
    code: report.code,
    hint,
    ...(requestId === undefined ? {} : { requestId }),
    ...(report.host === undefined ? {} : { host: report.host }),
    ...(report.phase === undefined ? {} : { phase: report.phase }),
    ...(report.evidence === undefined ? {} : { evidence: keepEnd(report.evidence, 4000) }),
    ...(report.errors === undefined
      ? {}
      : {
          errors: report.errors
            .slice(0, 200)
            .map(({ path, message }) => ({ path: path.slice(0, 1000), message: keepEnds(message, 2000) })),
        }),
  };
}
