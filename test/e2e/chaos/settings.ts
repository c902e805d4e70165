import { pairsOf } from './pairs.ts';

/** Points of a run unless said otherwise, as in test:e2e, and in one build. `npm run test:chaos` says 40. */
const POINTS = 12;
export const POINTS_PER_BUILD = 4;

export interface ChaosSettings {
  seed: number;
  /** How many points are drawn, 1 to 1000. */
  points: number;
  /** How many of them are two faults at once. */
  pairs: number;
  /** Only builds that hold one of these cases; null = all. */
  cases: { from: number; to: number } | null;
  /** Every command boundary of the build, instead of a drawn few. */
  walk: boolean;
}

/** From KUBEWRIGHT_CHAOS_SEED, _POINTS (default 12), _PAIRS (default one in five points), _CASE (`7` or `7-12`) and _WALK. Throws for anything else in them. */
export function chaosSettings(env: Record<string, string | undefined>, random: () => number): ChaosSettings {
  const seed = env['KUBEWRIGHT_CHAOS_SEED'] ? Number(env['KUBEWRIGHT_CHAOS_SEED']) : Math.floor(random() * 1e9);
  if (!Number.isInteger(seed) || seed < 0) throw new Error('KUBEWRIGHT_CHAOS_SEED must be a whole number');
  const points = Number(env['KUBEWRIGHT_CHAOS_POINTS'] ?? POINTS);
  if (!Number.isInteger(points) || points < 1 || points > 1000)
    throw new Error('KUBEWRIGHT_CHAOS_POINTS must be a whole number from 1 to 1000');
  const pairs = Number(env['KUBEWRIGHT_CHAOS_PAIRS'] ?? pairsOf(points));
  if (!Number.isInteger(pairs) || pairs < 0 || pairs > points)
    throw new Error(`KUBEWRIGHT_CHAOS_PAIRS must be a whole number from 0 to the ${points} points`);
  const range = env['KUBEWRIGHT_CHAOS_CASE'];
  const found = range ? /^(\d+)(?:-(\d+))?$/.exec(range) : null;
  if (range && !found) throw new Error('KUBEWRIGHT_CHAOS_CASE must be a number or a range such as 5-12');
  return {
    seed,
    points,
    pairs,
    cases: found ? { from: Number(found[1]), to: Number(found[2] ?? found[1]) } : null,
    walk: env['KUBEWRIGHT_CHAOS_WALK'] === '1',
  };
}
