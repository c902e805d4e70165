import { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { absolutePath } from '../../../contracts/primitives.ts';
import { defineCapability } from '../capability.ts';

/** API servers, controller managers and schedulers on the hosts with the role control-plane. */
export const controlPlane = defineCapability({
  name: 'control-plane',
  choice: true,
  chosen: {
    field: 'spec.controlPlane.engine',
    by: (cluster) => (engineOf(cluster) === 'kubeadm' ? 'kubeadm' : 'master'),
  },
  bound: 'its API servers, certificates and nodes were made by it',
  data: z.strictObject({
    certificateFiles: z
      .array(absolutePath)
      .describe(
        'Files that differ when the certificate of the API server needs other names: it reads them anew, or does not read them at all',
      ),
  }),
});

/** What installs control planes and nodes. */
export const engineOf = ({ spec }: ClusterSpec): 'binaries' | 'kubeadm' => spec.controlPlane?.engine ?? 'binaries';
