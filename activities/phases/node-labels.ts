import { z } from 'zod';
import { kubeHosts } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { KUBECTL_ENV, kubectl } from '../kube/kubectl.ts';
import { type NodeObject, nodePatches } from '../kube/node-patches.ts';
import { definePhase } from './phase.ts';

/** Only what is read of them. */
const nodeList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({
        name: z.string(),
        resourceVersion: z.string(),
        labels: z.record(z.string(), z.string()).optional(),
        annotations: z.record(z.string(), z.string()).optional(),
      }),
      spec: z.object({
        taints: z
          .array(z.looseObject({ key: z.string(), value: z.string().optional(), effect: z.string() }))
          .optional(),
      }),
    }),
  ),
});

/** Roles, labels and taints of nodes. A kubelet may not give itself a role (NodeRestriction), so an administrator does. */
export default definePhase({
  name: 'node-labels',
  title: 'Node labels and taints',
  hosts: 'one-control-plane',
  needs: [
    // Its own API server, kubectl and kubeconfig.
    { phase: 'master', on: 'same-host' },
    { phase: 'nodes', on: 'every-host' },
  ],
  timeouts: { applyMs: 60_000, verifyMs: 10_000 },
  expectedMs: 800,
  options: z.strictObject({}),
  hooks: {
    async after({ cluster, remote, host }) {
      const { stdout } = await kubectl(remote, ['get', 'nodes', '-o', 'json'], { maxOutputBytes: 64 * 1024 * 1024 });
      const nodes = nodeList.parse(JSON.parse(stdout)).items as NodeObject[];
      const patches = nodePatches(kubeHosts(cluster), nodes);
      if (patches.length === 0) return [];
      const words = patches.flatMap(({ name, patch }) => [name, JSON.stringify(patch)]);
      const result = await remote.script(PATCH, words, { okCodes: 'any', env: KUBECTL_ENV });
      if (result.code !== 0) {
        // A conflict, mostly: somebody else changed the node in the same moment, and the next attempt reads it anew.
        throw new KubewrightError('COMMAND_FAILED', 'labels or taints of nodes could not be set', {
          host: host.name,
          evidence: result.stderr,
        });
      }
      return patches.map(({ name, detail }) => ({ resource: `node:${name}`, action: 'update' as const, detail }));
    },
  },
});

/** Eight at a time. */
const PATCH = `
printf '%s\\0' "$@" | xargs -0 -n 2 -P 8 sh -c 'exec kubectl patch node "$0" --type merge --patch "$1"'
`;
