import { z } from 'zod';
import { kubeHosts } from '../../../contracts/cluster.ts';
import { ipv4 } from '../../../contracts/primitives.ts';
import { imageRef } from '../../kube/images.ts';
import { dnsServiceAddress } from '../../kube/network.ts';
import { waitForDeployments } from '../../kube/rollout.ts';
import { manifests } from '../../resources/manifests.ts';
import { definePhase } from '../phase.ts';
import { COREDNS } from './artifacts.ts';
import { coredns } from './manifests.ts';

const options = z.strictObject({
  replicas: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe('Number of CoreDNS pods; default: 2, or 1 in a cluster with one node'),
  upstream: z
    .union([z.array(ipv4).max(15), z.literal('none')])
    .default([])
    .describe(
      'Name servers for names outside the cluster; default: those of the nodes; `none`: only names of the cluster are resolved',
    ),
  memoryLimitMiB: z.int().min(64).max(16_384).default(170),
});

/** CoreDNS at the tenth address of the service range. Its pods wait for a Ready node; applying does not. */
export default definePhase({
  name: 'dns',
  title: 'Cluster DNS',
  hosts: 'one-control-plane',
  needs: [
    // Its own API server, kubectl and kubeconfig.
    { phase: 'control-plane', on: 'same-host' },
    { phase: 'registry', on: 'every-host' },
  ],
  waitsForPods: true,
  timeouts: { applyMs: 3 * 60_000, verifyMs: 4 * 60_000 },
  expectedMs: 10_000,
  keepsRunning: { objects: ['Deployment/coredns'] },
  options,
  requires: () => ({ images: [COREDNS] }),
  resources: async (context) => {
    const { cluster, options } = context;
    const objects = coredns({
      image: await imageRef(context, COREDNS),
      replicas: options.replicas ?? Math.min(2, kubeHosts(cluster).length),
      clusterDomain: cluster.spec.network.clusterDomain,
      address: dnsServiceAddress(cluster),
      upstream: options.upstream,
      memoryLimitMiB: options.memoryLimitMiB,
    });
    return [manifests('coredns', objects)];
  },
  verify: (run) => waitForDeployments(run, ['coredns'], 3 * 60_000),
});
