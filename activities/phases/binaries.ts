import { z } from 'zod';
import { installAll } from '../kube/install.ts';
import { definePhase, type Phase } from './phase.ts';
import { resolveNeeds } from './provides.ts';
import { requirementsOn } from './requires.ts';

/**
 * What phases install that wait for this one on the same host, downloaded while etcd forms and the registry fills. Those phases
 * still ask for it: this one saves time and nothing depends on it but the order. Phases that start beside it (etcd, runtime)
 * download theirs at the same time.
 */
export default definePhase({
  name: 'binaries',
  title: 'Kubernetes binaries',
  hosts: 'nodes',
  needs: [{ phase: 'prepare', on: 'same-host' }],
  timeouts: { applyMs: 15 * 60_000, verifyMs: 10_000 },
  expectedMs: 5_000,
  options: z.strictObject({}),
  resources: async (context) => {
    const { cluster, host } = context;
    const phases = [...context.phases.values()];
    const later = afterOnHost('binaries', phases);
    const required = requirementsOn(cluster, host, phases).filter(({ phase }) => later.has(phase));
    const resources = await installAll(
      context,
      required.flatMap(({ artifacts = [] }) => artifacts),
    );
    // Two phases may install the same file.
    return resources.filter(
      ({ kind, id }, index) => resources.findIndex((each) => each.kind === kind && each.id === id) === index,
    );
  },
});

/** Names of the phases whose task on a host waits for that of this phase there, straight or by others. Pure. */
function afterOnHost(name: string, phases: readonly Phase[]): ReadonlySet<string> {
  const found = new Set([name]);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const phase of phases) {
      const needs = resolveNeeds(phase, phases).filter(({ on }) => on === 'same-host');
      if (needs.some((need) => found.has(need.phase))) found.add(phase.name);
    }
  }
  return found;
}
