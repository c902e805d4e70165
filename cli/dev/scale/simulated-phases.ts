import type { Phase } from '../../../activities/phases/phase.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import type { Change } from '../../../contracts/operation.ts';

/** What a simulated task reports as changed: the size of a first build's result. */
const CHANGES: Change[] = Array.from({ length: 10 }, (_, index) => ({
  resource: `file:/etc/kubewright/simulated/${index}.conf`,
  action: 'create',
  detail: '412 bytes, root:root 0644, sha256 0123456789ab',
}));

/**
 * The real phases with their places, needs and rollouts, so that the plan is that of a real build; each does nothing but
 * run `commands` commands on its host.
 */
export async function simulatedPhases(commands: number): Promise<Map<string, Phase>> {
  const phases = await loadPhases();
  return new Map(phases.map((phase) => [phase.name, simulated(phase, commands)]));
}

/** What a phase does on a host; the rest is declaration. */
const BEHAVIOUR = ['resources', 'hooks', 'verify', 'run', 'check', 'facts'] as const;

function simulated(phase: Phase, commands: number): Phase {
  const declared = { ...phase };
  for (const part of BEHAVIOUR) delete declared[part];
  if (phase.hosts === 'controller') return declared;
  return {
    ...declared,
    hooks: {
      async after({ remote }) {
        for (let each = 0; each < commands; each += 1) {
          await remote.exec(['simulated-command', '--phase', phase.name, '--number', String(each)]);
        }
        return CHANGES;
      },
    },
  };
}
