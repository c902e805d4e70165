import { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { FieldIssue } from '../../../contracts/issues.ts';
import { kubernetesStore } from '../capabilities/kubernetes-store.ts';
import { endpointPlaces, externalEtcd } from '../etcd/public.ts';
import { rawPhaseOptions } from '../options.ts';
import { definePhase } from '../phase.ts';
import { claimPrefix } from './claim.ts';

/**
 * The API servers keep their objects in an etcd of the user (`spec.phases.etcd.bootstrap.mode: external`). Nothing is installed
 * there, changed in its configuration, or removed from it.
 */
export default definePhase({
  name: 'external-etcd',
  title: 'External etcd',
  hosts: 'control-plane',
  offers: [
    kubernetesStore.offer(({ cluster }) => {
      const external = externalEtcd(cluster)!;
      const { endpoints, prefix, credential } = external;
      return {
        servers: endpoints,
        prefix,
        unit: null,
        clientCertificate: { credential, places: endpointPlaces(external) },
      };
    }),
  ],
  needs: [
    { phase: 'prepare', on: 'same-host' },
    { phase: 'pki', on: 'every-host' },
  ],
  timeouts: { applyMs: 60_000, verifyMs: 10_000 },
  expectedMs: 300,
  options: z.strictObject({}),
  requires: ({ cluster, host }) => {
    const external = externalEtcd(cluster);
    if (!external || !host.roles.includes('control-plane')) return {};
    return { certificates: [{ credential: external.credential, places: endpointPlaces(external) }] };
  },
  specIssues: ({ cluster }) => [...membersOfOurOwn(cluster), ...ownFlags(cluster), ...stacked(cluster)],
  run: claimPrefix,
});

const MODE = 'spec.phases.etcd.bootstrap.mode is external';

const membersOfOurOwn = ({ spec }: ClusterSpec): FieldIssue[] =>
  spec.hosts.flatMap(({ name, roles }, index) =>
    roles.includes('etcd')
      ? [{ path: `spec.hosts[${index}].roles`, message: `${name} has the role etcd, and ${MODE}: remove the role` }]
      : [],
  );

const stacked = ({ spec }: ClusterSpec): FieldIssue[] =>
  spec.controlPlane?.etcd === 'stacked'
    ? [{ path: 'spec.controlPlane.etcd', message: `remove it, or set it to external: ${MODE}` }]
    : [];

/** Flags that would lead API servers elsewhere than preflight looked. */
const FLAGS = ['etcd-servers', 'etcd-prefix', 'etcd-cafile', 'etcd-certfile', 'etcd-keyfile'];

function ownFlags(cluster: ClusterSpec): FieldIssue[] {
  const { apiServer } = rawPhaseOptions(cluster, 'master') as { apiServer?: { extraArgs?: object } };
  return FLAGS.filter((flag) => Object.hasOwn(apiServer?.extraArgs ?? {}, flag)).map((flag) => ({
    path: `spec.phases.master.apiServer.extraArgs.${flag}`,
    message: `remove it: ${MODE}, which sets the flag`,
  }));
}
