/** Points of a run by default, and in one build. */
export const POINTS = 40;
export const POINTS_PER_BUILD = 4;

export interface ChaosSettings {
  seed: number;
  /** Only builds that hold one of these cases; null = all. */
  cases: { from: number; to: number } | null;
  /** Every command boundary of the build, instead of a drawn few. */
  walk: boolean;
}

/** From KUBEWRIGHT_CHAOS_SEED, KUBEWRIGHT_CHAOS_CASE (`7` or `7-12`) and KUBEWRIGHT_CHAOS_WALK. */
export function chaosSettings(env: Record<string, string | undefined>, random: () => number): ChaosSettings {
  const seed = env['KUBEWRIGHT_CHAOS_SEED'] ? Number(env['KUBEWRIGHT_CHAOS_SEED']) : Math.floor(random() * 1e9);
  if (!Number.isInteger(seed) || seed < 0) throw new Error('KUBEWRIGHT_CHAOS_SEED must be a whole number');
  const range = env['KUBEWRIGHT_CHAOS_CASE'];
  const found = range ? /^(\d+)(?:-(\d+))?$/.exec(range) : null;
  if (range && !found) throw new Error('KUBEWRIGHT_CHAOS_CASE must be a number or a range such as 5-12');
  return {
    seed,
    cases: found ? { from: Number(found[1]), to: Number(found[2] ?? found[1]) } : null,
    walk: env['KUBEWRIGHT_CHAOS_WALK'] === '1',
  };
}
