import { newSpecIssuesOf } from '../../activities/phases/capabilities.ts';
import type { Phase } from '../../activities/phases/phase.ts';
import type { ClusterSpec } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { FieldIssue } from '../../contracts/issues.ts';
import { validateClusterSpec } from '../../contracts/spec-parse.ts';
import { rolesOfOffPhases, specValidator } from '../validate-phases.ts';

const MOST_PROBLEMS = 200;

/** What POST /clusters would say about the spec of a new cluster. */
export function specProblems(phases: readonly Phase[]): (spec: unknown) => FieldIssue[] {
  const validate = specValidator(phases);
  const ofNew = (spec: ClusterSpec) => [
    ...newSpecIssuesOf(spec, null, phases),
    ...rolesOfOffPhases(spec, null, phases),
  ];
  return (spec) => {
    try {
      return ofNew(validateClusterSpec(spec, validate)).slice(0, MOST_PROBLEMS);
    } catch (error) {
      if (KubewrightError.is(error) && error.code === 'SPEC_INVALID')
        return (error.errors ?? []).slice(0, MOST_PROBLEMS);
      throw error;
    }
  };
}
