import { z } from 'zod';
import { absolutePath } from '../../../contracts/primitives.ts';
import { defineCapability } from '../capability.ts';
import { engineOf } from './control-plane.ts';

/** kubelet and kube-proxy: what makes a host a node. It is of the engine that has the control planes. */
export const nodeAgent = defineCapability({
  name: 'node-agent',
  choice: true,
  chosen: {
    field: 'spec.controlPlane.engine',
    by: (cluster) => (engineOf(cluster) === 'kubeadm' ? 'kubeadm-nodes' : 'nodes'),
  },
  data: z.strictObject({
    certificate: absolutePath.describe('Client certificate of the kubelet, which may read its own node'),
    key: absolutePath.describe('Its key'),
  }),
});
