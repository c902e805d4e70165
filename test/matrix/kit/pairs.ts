import { FAMILIES, lackingPackage } from '../../../activities/host/family/families.ts';
import type { Phase } from '../../../activities/phases/phase.ts';
import { requirementsOn } from '../../../activities/phases/requires.ts';
import { phaseValidator } from '../../../api/validate-phases.ts';
import { type ClusterSpec, clusterSpec } from '../../../contracts/cluster.ts';
import { DEFAULT_SYSTEM } from '../../../lab/systems.ts';
import type { ClusterSpecInput } from '../../../lab/types.ts';
import type { MatrixCase, SpecDraft } from './case.ts';
import { type CaseDraft, type Dimension, dimensionsOf, familyOfSystem } from './choices.ts';

/** The answers of a case, by dimension. */
export type Answers = Readonly<Record<string, string>>;

/** Two values of two dimensions. */
export interface Pair {
  one: { dimension: string; value: string };
  other: { dimension: string; value: string };
}

export const pairName = ({ one, other }: Pair): string =>
  `${one.dimension} ${one.value} with ${other.dimension} ${other.value}`;

export function answersOf(dimensions: readonly Dimension[], document: ClusterSpecInput, each: Pick<MatrixCase, 'os'>) {
  const cluster = clusterSpec.parse(document);
  return Object.fromEntries(dimensions.map((dimension) => [dimension.name, dimension.of(cluster, each)]));
}

/** Every two values of two dimensions, each pair once. */
export function allPairs(dimensions: readonly Dimension[]): Pair[] {
  return dimensions.flatMap((first, index) =>
    dimensions.slice(index + 1).flatMap((second) =>
      first.values.flatMap((value) =>
        second.values.map((other) => ({
          one: { dimension: first.name, value },
          other: { dimension: second.name, value: other },
        })),
      ),
    ),
  );
}

/** Whether a case of these answers shows the pair on every machine that can run one of its two choices. */
const meets = (answers: Answers, { one, other }: Pair, dimensions: readonly Dimension[]): boolean =>
  answers[one.dimension] === one.value &&
  answers[other.dimension] === other.value &&
  dimensions.every(
    ({ name, mayBeRefused = [] }) =>
      !mayBeRefused.includes(answers[name]!) || one.dimension === name || other.dimension === name,
  );

/** What API and preflight find wrong with a spec of these values, all else as the lab proposes it; empty: it is accepted. */
export function refusalOf(
  values: readonly { dimension: string; value: string }[],
  proposed: ClusterSpecInput,
  phases: readonly Phase[],
): string[] {
  const document = structuredClone(proposed);
  const draft: CaseDraft = { spec: document.spec as unknown as SpecDraft, os: DEFAULT_SYSTEM };
  const dimensions = dimensionsOf(phases);
  for (const { dimension, value } of values) dimensions.find(({ name }) => name === dimension)!.choose(draft, value);
  const parsed = clusterSpec.safeParse(document);
  if (!parsed.success) return parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  const issues = phaseValidator(phases)(parsed.data).map(({ path, message }) => `${path}: ${message}`);
  return issues.length > 0 ? issues : lacking(parsed.data, draft.os, phases);
}

/** What preflight refuses: packages that the phases need and that the family of the hosts does not have. */
function lacking(cluster: ClusterSpec, os: string, phases: readonly Phase[]): string[] {
  const family = FAMILIES.find(({ name }) => name === familyOfSystem(os))!;
  const names = cluster.spec.hosts
    .flatMap((host) => requirementsOn(cluster, host, phases))
    .flatMap(({ packages = [], deferredPackages = [] }) => [...packages, ...deferredPackages]);
  return [...new Set(names)].flatMap((name) => {
    const lack = lackingPackage(family, name);
    return lack ? [`package ${name} on ${family.name}: ${lack.lacks}`] : [];
  });
}

/** Pairs that are refused, each with why. */
export function refusedPairs(proposed: ClusterSpecInput, phases: readonly Phase[]): { pair: Pair; why: string }[] {
  return allPairs(dimensionsOf(phases)).flatMap((pair) => {
    const [why] = refusalOf([pair.one, pair.other], proposed, phases);
    return why === undefined ? [] : [{ pair, why }];
  });
}

/** The pairs that no case has and that the API does not refuse. */
export function missingPairs(cases: readonly Answers[], proposed: ClusterSpecInput, phases: readonly Phase[]): Pair[] {
  const dimensions = dimensionsOf(phases);
  return allPairs(dimensions).filter(
    (pair) =>
      !cases.some((answers) => meets(answers, pair, dimensions)) &&
      refusalOf([pair.one, pair.other], proposed, phases).length === 0,
  );
}

/**
 * Answers of further cases that have all missing pairs: each begins with the first missing pair and takes, dimension by
 * dimension, the value with the most missing pairs that the API accepts. Not the fewest, but few.
 */
export function proposeCases(
  cases: readonly Answers[],
  proposed: ClusterSpecInput,
  phases: readonly Phase[],
): Answers[] {
  const dimensions = dimensionsOf(phases);
  let missing = missingPairs(cases, proposed, phases);
  const made: Answers[] = [];
  while (missing.length > 0) {
    const { one, other } = missing[0]!;
    let chosen = [one, other];
    for (const { name, values, mayBeRefused = [] } of dimensions) {
      if (chosen.some(({ dimension }) => dimension === name)) continue;
      const options = values
        .filter((value) => !mayBeRefused.includes(value))
        .map((value) => ({ dimension: name, value }))
        .map((each) => ({ each, gain: gainOf([...chosen, each], missing, dimensions) }))
        .sort((a, b) => b.gain - a.gain);
      const fits = options.find(({ each }) => refusalOf([...chosen, each], proposed, phases).length === 0);
      if (fits) chosen = [...chosen, fits.each];
    }
    const answers = Object.fromEntries(chosen.map(({ dimension, value }) => [dimension, value]));
    made.push(answers);
    missing = missing.filter((pair) => !meets(answers, pair, dimensions));
  }
  return made;
}

function gainOf(
  values: readonly { dimension: string; value: string }[],
  missing: readonly Pair[],
  dimensions: readonly Dimension[],
): number {
  const answers = Object.fromEntries(values.map(({ dimension, value }) => [dimension, value]));
  return missing.filter((pair) => meets(answers, pair, dimensions)).length;
}
