import { z } from 'zod';
import { imageRef } from '../../kube/images.ts';
import { nodePorts } from '../../kube/options/control-plane.ts';
import { waitForDeployments } from '../../kube/rollout.ts';
import { manifests } from '../../resources/manifests.ts';
import { definePhase } from '../phase.ts';
import { HEADLAMP, KUBE_WEB_VIEW } from './artifacts.ts';
import { DASHBOARD_FLAVOURS, DASHBOARD_NAME, dashboard } from './manifests.ts';

const IMAGES = { headlamp: HEADLAMP, 'kube-web-view': KUBE_WEB_VIEW };

const options = z.strictObject({
  flavour: z
    .enum(DASHBOARD_FLAVOURS)
    .default('headlamp')
    .describe(
      'headlamp: each user logs in with a token of their own; kube-web-view: all users share one read-only account, without a login',
    ),
  service: z
    .strictObject({
      type: z.enum(['ClusterIP', 'NodePort']).default('ClusterIP'),
      nodePort: z
        .int()
        .min(1)
        .max(65_535)
        .optional()
        .describe('Port of type NodePort, in the range of the cluster (30000-32767 by default)'),
    })
    .prefault({}),
  showLogs: z.boolean().default(false).describe('True: kube-web-view shows container logs, which may contain secrets'),
});

/** A web dashboard, service `dashboard` in kube-system, with an account of its own that may read and no Secrets. */
export default definePhase({
  name: 'dashboard',
  title: 'Dashboard',
  hosts: 'one-control-plane',
  optional: true,
  needs: [
    // Its own API server, kubectl and kubeconfig.
    { phase: 'control-plane', on: 'same-host' },
    { phase: 'registry', on: 'every-host' },
  ],
  waitsForPods: true,
  timeouts: { applyMs: 3 * 60_000, verifyMs: 4 * 60_000 },
  expectedMs: 10_000,
  keepsRunning: { objects: [`Deployment/${DASHBOARD_NAME}`] },
  options,
  specIssues: ({ cluster, options: { service } }) => {
    const { from, to } = nodePorts(cluster);
    const { nodePort } = service;
    return nodePort === undefined || (nodePort >= from && nodePort <= to)
      ? []
      : [
          {
            path: 'spec.phases.dashboard.service.nodePort',
            message: `must be in the range of node ports, ${from}-${to}`,
          },
        ];
  },
  requires: ({ options }) => ({ images: [IMAGES[options.flavour]] }),
  resources: async (context) => {
    const { options } = context;
    return [manifests('dashboard', dashboard({ ...options, image: await imageRef(context, IMAGES[options.flavour]) }))];
  },
  verify: (run) => waitForDeployments(run, [DASHBOARD_NAME], 3 * 60_000),
});
