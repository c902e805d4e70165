import { z } from 'zod';
import { unknownWord } from '../../../contracts/nearest.ts';
import { FEATURE_GATE_TABLE, GATE_MINORS } from './feature-gate-table.ts';

/** Feature gates of one component: name → on or off. At most 64; which names there are is `featureGateProblem`'s to say. */
export const featureGates = z
  .record(z.string().regex(/^[A-Z][A-Za-z0-9]{1,99}$/, 'must be the name of a feature gate'), z.boolean())
  .refine((gates) => Object.keys(gates).length <= 64, 'at most 64 feature gates')
  .optional()
  .describe('Feature gates: name → true or false; checked against the version of Kubernetes');

export type GatedComponent = 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kubelet' | 'kube-proxy';

/** Gates that a component does not have though the others of its version do. */
const ABSENT: Partial<Record<GatedComponent, readonly string[]>> = {
  'kube-scheduler': ['ControllerManagerReleaseLeaderElectionLockOnExit'],
};

const STAGES: Readonly<Record<string, string>> = { A: 'alpha', B: 'beta', G: 'GA', D: 'deprecated' };

/** Gate → what each of GATE_MINORS has of it, as the table writes it. */
const GATES: ReadonlyMap<string, readonly string[]> = new Map(
  FEATURE_GATE_TABLE.trim()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([name = '', ...columns]) => [name, columns]),
);

/** `1.36` of `1.36.3`. */
export const minorOf = (version: string): string => version.split('.').slice(0, 2).join('.');

/**
 * Why a component of this version of Kubernetes does not start with the gate set so, as the end of a sentence; null: it does, or
 * nothing is known of the version. Pure.
 */
export function featureGateProblem(
  component: GatedComponent,
  { gate, on, version }: { gate: string; on: boolean; version: string },
): string | null {
  const minor = minorOf(version);
  const column = GATE_MINORS.findIndex((each) => each === minor);
  if (column < 0) return null;
  const known = [...GATES].filter(([, columns]) => columns[column] !== '.').map(([name]) => name);
  const columns = GATES.get(gate);
  if (!columns) return `${unknownWord('feature gate', gate, known)} (Kubernetes ${minor})`;
  const [stage = '', byDefault, locked] = columns[column]!;
  if (stage === '.') {
    const later = GATE_MINORS.find((_, index) => index > column && columns[index] !== '.');
    const earlier = GATE_MINORS.findLast((_, index) => index < column && columns[index] !== '.');
    const when = later !== undefined ? `it comes with ${later}` : `${earlier} was the last version with it`;
    return `Kubernetes ${minor} has no feature gate ${gate}: ${when}`;
  }
  if (ABSENT[component]?.includes(gate)) return `${component} has no feature gate ${gate}`;
  if (locked && on !== (byDefault === '+')) {
    return `Kubernetes ${minor} accepts only \`${byDefault === '+'}\` for ${gate}: the feature is ${STAGES[stage]} and locked`;
  }
  return null;
}

/** `A=true,B=false`, by name, as flags have it. Undefined where there is none. Pure. */
export function featureGatesFlag(gates: Readonly<Record<string, boolean>> | undefined): string | undefined {
  const named = sortedGates(gates).map(([name, on]) => `${name}=${on}`);
  return named.length > 0 ? named.join(',') : undefined;
}

/** In the order of their names: the order of the spec makes no difference on hosts. Pure. */
export const sortedGates = (gates: Readonly<Record<string, boolean>> | undefined): [string, boolean][] =>
  Object.entries(gates ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
