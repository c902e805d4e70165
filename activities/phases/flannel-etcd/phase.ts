import { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { rawPhaseOptions } from '../options.ts';
import { definePhase } from '../phase.ts';
import { keepNetwork } from './keep.ts';

const isChosen = (cluster: ClusterSpec): boolean => {
  const { subnetManager, enabled } = rawPhaseOptions(cluster, 'flannel');
  return subnetManager === 'etcd' && enabled !== false;
};

/**
 * What flanneld finds in etcd: the configuration of the network, and its own user, who may do nothing but read and write below the
 * prefix. Leases of hosts that have left are removed. With an etcd of the user, the prefix is claimed, and users are theirs.
 */
export default definePhase({
  name: 'flannel-etcd',
  title: 'Subnets of flannel in etcd',
  hosts: 'one-control-plane',
  needs: [
    { phase: 'kubernetes-store', on: 'every-host' },
    // The certificate of the API server for etcd, whose user manages the others.
    { phase: 'control-plane', on: 'same-host' },
  ],
  dependsOnAddressesOf: ['control-plane', 'worker'],
  enabled: isChosen,
  timeouts: { applyMs: 3 * 60_000, verifyMs: 10_000 },
  expectedMs: 500,
  options: z.strictObject({}),
  run: keepNetwork,
});
