import { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { FieldIssue } from '../../../contracts/issues.ts';
import { cidrContains, ipv4 } from '../../../contracts/primitives.ts';
import { API_SERVER_PORT, API_SERVERS_HOSTNAME } from '../../kube/paths.ts';
import { controlPlaneEndpoint, endpointHost } from '../capabilities/control-plane-endpoint.ts';
import { definePhase } from '../phase.ts';
import { leadsHere } from './leads-here.ts';

/**
 * The API servers are reached at an address that others provide: a load balancer of the site, or a DNS name. Nothing is placed
 * for it. Preflight looks where it leads before anything is built; every node asks again when API servers run, before it uses it.
 */
export default definePhase({
  name: 'external',
  title: 'External endpoint',
  hosts: 'nodes',
  offers: [
    controlPlaneEndpoint.offer(({ cluster }) => ({
      ...endpointOf(cluster),
      forClients: true,
      certificateNames: [endpointOf(cluster).host],
      drainSeconds: 0,
    })),
  ],
  needs: [
    { phase: 'prepare', on: 'same-host' },
    // The balancer may choose any of them, and each needs the name in its certificate.
    { phase: 'control-plane', on: 'every-host' },
  ],
  timeouts: { applyMs: 10_000, verifyMs: 3 * 60_000 },
  expectedMs: 500,
  options: z.strictObject({}),
  requires: ({ cluster }) => ({ endpoint: { ...endpointOf(cluster), field: 'spec.controlPlane.endpoint' } }),
  specIssues: ({ cluster }) => endpointIssues(cluster),
  check: (run) => leadsHere(run, run.offer(controlPlaneEndpoint)),
});

const endpointOf = (cluster: ClusterSpec) => ({
  host: endpointHost(cluster) ?? '',
  port: cluster.spec.controlPlane?.endpoint?.port ?? API_SERVER_PORT,
});

/** What the spec alone shows of a host that cannot be the endpoint. */
function endpointIssues(cluster: ClusterSpec): FieldIssue[] {
  const { host } = endpointOf(cluster);
  const issue = (message: string): FieldIssue[] => [{ path: 'spec.controlPlane.endpoint.host', message }];
  if (host === '') return issue('is required with provider external');
  if (host === API_SERVERS_HOSTNAME) return issue(`${host} is a name of provider host-names: choose that provider`);
  if (host === 'localhost' || host.startsWith('127.'))
    return issue(`${host} is each host itself: choose provider node-local for a proxy on every node`);
  if (!ipv4.safeParse(host).success) return [];
  const { podCidr, serviceCidr } = cluster.spec.network;
  for (const [field, range] of Object.entries({ podCidr, serviceCidr }))
    if (cidrContains(range, host)) return issue(`${host} is in spec.network.${field} ${range}`);
  return [];
}
