import { z } from 'zod';
import { kubeHosts } from '../../../contracts/cluster.ts';
import { askKubectl, KUBECTL_ENV } from '../../kube/kubectl.ts';
import { definePhase } from '../phase.ts';
import { type NodeObject, nodePatches } from './patches.ts';

/** A node object is some 10 KiB. */
const MAX_NODES_BYTES = 64 * 1024 * 1024;
/** How often a change in between may make us read again. */
const ATTEMPTS = 5;

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
  speaksOfNodes: true,
  needs: [
    // Its own API server, kubectl and kubeconfig.
    { phase: 'master', on: 'same-host' },
    { phase: 'nodes', on: 'every-host' },
  ],
  timeouts: { applyMs: 60_000, verifyMs: 10_000 },
  expectedMs: 800,
  options: z.strictObject({}),
  hooks: {
    async after({ cluster, remote, fail, signal }) {
      for (let attempt = 1; ; attempt++) {
        const { stdout } = await askKubectl({ remote, signal }, ['get', 'nodes', '-o', 'json'], {
          maxOutputBytes: MAX_NODES_BYTES,
        });
        const nodes = nodeList.parse(JSON.parse(stdout)).items as NodeObject[];
        const patches = nodePatches(kubeHosts(cluster), nodes);
        if (patches.length === 0) return [];
        const words = patches.flatMap(({ name, patch }) => [name, JSON.stringify(patch)]);
        const { code, stderr } = await remote.script(PATCH, words, { okCodes: 'any', env: KUBECTL_ENV });
        if (code === 0) {
          return patches.map(({ name, detail }) => ({ resource: `node:${name}`, action: 'update' as const, detail }));
        }
        // A kubelet renews its node's status every few seconds, and now and then in just this moment.
        if (attempt >= ATTEMPTS || !stderr.includes('(Conflict)')) {
          fail('COMMAND_FAILED', 'labels or taints of nodes could not be set', stderr);
        }
      }
    },
  },
});

/** Eight at a time. */
const PATCH = `
printf '%s\\0' "$@" | xargs -0 -n 2 -P 8 sh -c 'exec kubectl patch node "$0" --type merge --patch "$1"'
`;
