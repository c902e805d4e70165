import { z } from 'zod';
import { installAll } from '../kube/install.ts';
import { waitingFor } from './needs.ts';
import { definePhase } from './phase.ts';
import { requirementsOn } from './requires.ts';

/**
 * What phases after this one install, downloaded while etcd forms and the registry fills. Those phases still ask for it: this
 * one saves time and nothing depends on it but the order. Phases that start beside it download theirs at the same time.
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
    const later = waitingFor('binaries', phases);
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
