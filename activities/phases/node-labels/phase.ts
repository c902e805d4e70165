import { z } from 'zod';
import { kubeHosts } from '../../../contracts/cluster.ts';
import type { Change } from '../../../contracts/operation.ts';
import { askKubectl, KUBECTL_ENV } from '../../kube/kubectl.ts';
import { ADMIN_KUBECONFIG } from '../../kube/paths.ts';
import { definePhase } from '../phase.ts';
import { type NodeObject, type NodePatch, nodePatches } from './patches.ts';
import { reservedIssues } from './reserved.ts';

/** A node object is some 10 KiB. */
const MAX_NODES_BYTES = 64 * 1024 * 1024;
/** How long a dry run asks an API server that does not answer, ms. */
const CHECK_ASK_MS = 5_000;
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
  actsPerNode: true,
  needs: [
    // Its own API server, kubectl and kubeconfig.
    { phase: 'control-plane', on: 'same-host' },
    { phase: 'node-agent', on: 'every-host' },
  ],
  timeouts: { applyMs: 60_000, verifyMs: 10_000 },
  expectedMs: 800,
  options: z.strictObject({}),
  newSpecIssues: reservedIssues,
  async run({ cluster, remote, fail, signal, mode }) {
    if (mode === 'check') {
      // A cluster that is not built yet has no nodes.
      const { code } = await remote.exec(['test', '-e', ADMIN_KUBECONFIG], { okCodes: [0, 1] });
      if (code !== 0) return [];
    }
    for (let attempt = 1; ; attempt++) {
      const { stdout } = await askKubectl({ remote, signal }, ['get', 'nodes', '-o', 'json'], {
        maxOutputBytes: MAX_NODES_BYTES,
        ...(mode === 'check' ? { retryForMs: CHECK_ASK_MS } : {}),
      });
      const nodes = nodeList.parse(JSON.parse(stdout)).items as NodeObject[];
      const patches = nodePatches(kubeHosts(cluster), nodes);
      if (patches.length === 0 || mode === 'check') return patches.flatMap(changesOf);
      const words = patches.flatMap(({ name, patch }) => [name, JSON.stringify(patch)]);
      const { code, stderr } = await remote.script(PATCH, words, { okCodes: 'any', env: KUBECTL_ENV });
      if (code === 0) return patches.flatMap(changesOf);
      // A kubelet renews its node's status every few seconds, and now and then in just this moment.
      if (attempt >= ATTEMPTS || !stderr.includes('(Conflict)')) {
        fail('COMMAND_FAILED', 'labels or taints of nodes could not be set', stderr);
      }
    }
  },
});

/** One change for what is set, one for what is taken away. */
function changesOf({ name, sets, removes }: NodePatch): Change[] {
  const change = (action: Change['action'], detail: string): Change => ({ resource: `node:${name}`, action, detail });
  if (sets.length + removes.length === 0) return [change('update', 'noted what is ours')];
  return [
    ...(sets.length > 0 ? [change('update', sets.join(' '))] : []),
    ...(removes.length > 0 ? [change('remove', removes.join(' '))] : []),
  ];
}

/** Eight at a time. */
const PATCH = `
printf '%s\\0' "$@" | xargs -0 -n 2 -P 8 sh -c 'exec kubectl patch node "$0" --type merge --patch "$1"'
`;
