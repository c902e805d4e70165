import { z } from 'zod';
import { binariesOf, installKubernetes } from '../kube/binaries.ts';
import { install } from '../kube/install.ts';
import { phaseOptions } from './options.ts';
import { definePhase } from './phase.ts';

/**
 * Everything that control planes and nodes will run, downloaded while etcd forms and the registry fills. The phases that
 * run these files still ask for them: this one saves time and nothing depends on it but the order.
 */
export default definePhase({
  name: 'binaries',
  title: 'Kubernetes binaries',
  hosts: 'nodes',
  needs: [{ phase: 'prepare', on: 'same-host' }],
  timeouts: { applyMs: 15 * 60_000, verifyMs: 10_000 },
  expectedMs: 5_000,
  options: z.strictObject({}),
  resources: async (context) => [
    ...(await installKubernetes(context, binariesOf(context.host))),
    await install(context, 'flannel', {
      version: (phaseOptions(context.cluster, context.phases.get('flannel')!, context.host) as { version: string })
        .version,
    }),
  ],
});
