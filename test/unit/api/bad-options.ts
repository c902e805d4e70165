import type { ErrorCode } from '../../../contracts/errors.ts';
import type { SpecDraft } from '../../matrix/kit/case.ts';

/** A spec that the API refuses for one option. */
export interface BadOption {
  /** What is wrong, as the end of "refuses ...". */
  title: string;
  /** Puts it into a spec that is accepted: three hosts, cp-1 with every role, worker-1 and worker-2. */
  spec(draft: SpecDraft): void;
  code: ErrorCode;
  /** The field that is named, such as `spec.phases.flannel.backend`. */
  path: string;
  /** The sentence about this field. */
  message: RegExp;
}

/** Declare the table of a phase: one file of test/unit/api/bad-options/, default export. */
export const defineBadOptions = (rows: readonly BadOption[]): readonly BadOption[] => rows;
