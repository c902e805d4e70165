import { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { API_SERVER_PORT } from '../../kube/paths.ts';
import { controlPlaneEndpoint, endpointHost } from '../capabilities/control-plane-endpoint.ts';
import { definePhase } from '../phase.ts';

/** The API servers are reached at an address that others provide: a load balancer of the site, or a DNS name. */
export default definePhase({
  name: 'external',
  title: 'External endpoint',
  hosts: 'controller',
  offers: [
    controlPlaneEndpoint.offer(({ cluster }) => {
      const host = endpointHost(cluster)!;
      return {
        host,
        port: portOf(cluster),
        forClients: true,
        certificateNames: [host],
        drainSeconds: 0,
      };
    }),
  ],
  isIdle: () => true,
  needs: [],
  timeouts: { applyMs: 60_000, verifyMs: 10_000 },
  expectedMs: 200,
  options: z.strictObject({}),
  specIssues: ({ cluster }) =>
    endpointHost(cluster) === undefined
      ? [{ path: 'spec.controlPlane.endpoint.host', message: 'is required with provider external' }]
      : [],
  run: () => Promise.resolve([]),
});

const portOf = ({ spec }: ClusterSpec): number => spec.controlPlane?.endpoint?.port ?? API_SERVER_PORT;
