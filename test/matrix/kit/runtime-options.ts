import type { SpecDraft } from './case.ts';

/** What the lab proposes for containerd, as options of the other runtimes. */
export function runtimeOptions({ phases }: SpecDraft): Record<string, unknown> {
  const config = (phases['runtime']?.['config'] ?? {}) as { systemdCgroup?: boolean; restrictOomScoreAdj?: boolean };
  return {
    ...(config.systemdCgroup === false ? { cgroupDriver: 'cgroupfs' } : {}),
    ...(config.restrictOomScoreAdj ? { restrictOomScoreAdj: true } : {}),
  };
}
