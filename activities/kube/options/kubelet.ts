import { z } from 'zod';
import { absolutePath } from '../../../contracts/primitives.ts';
import { logLevel } from './control-plane.ts';
import { featureGates, sortedGates } from './feature-gates.ts';

/** Typed options of the kubelet, whichever engine starts it. None has a default, as those of the control plane. */

/** `500m`, `2`, `1.5`. */
const cpu = z.string().regex(/^(\d{1,6}m|\d{1,4}(\.\d{1,3})?)$/, 'must be an amount of CPU such as 500m or 2');
/** Bytes, as Kubernetes writes them. */
const bytes = z.string().regex(/^\d{1,15}(Ki|Mi|Gi|Ti|k|M|G|T)?$/, 'must be a number of bytes such as 512Mi');
const count = z.string().regex(/^\d{1,7}$/, 'must be a number');

const reserved = z
  .strictObject({
    cpu: cpu.optional(),
    memory: bytes.optional(),
    'ephemeral-storage': bytes.optional(),
    pid: count.optional(),
  })
  .optional();

/** Signals of the kubelet on Linux (pkg/kubelet/eviction/api/types.go), and what is compared with them. */
const threshold = z
  .string()
  .regex(
    /^(\d{1,2}(\.\d{1,2})?%|\d{1,15}(Ki|Mi|Gi|Ti|k|M|G|T)?)$/,
    'must be a number, an amount such as 200Mi, or a percentage such as 10%',
  );
/** A value for each signal that is named. */
const perSignal = <Value extends z.ZodType>(value: Value) =>
  z
    .strictObject({
      'memory.available': value.optional(),
      'nodefs.available': value.optional(),
      'nodefs.inodesFree': value.optional(),
      'imagefs.available': value.optional(),
      'imagefs.inodesFree': value.optional(),
      'pid.available': value.optional(),
    })
    .optional();

/** What else the kubelet takes as options, beside `config` and `extraArgs`. */
export const kubeletOptions = {
  maxPods: z.int().min(1).max(1000).optional().describe('Most pods on the node; default 110'),
  kubeReserved: reserved.describe('What kubelet and container runtime keep of the node: pods get the rest'),
  systemReserved: reserved.describe('What the other programs of the host keep of the node'),
  evictionHard: perSignal(threshold).describe(
    'Less is left: pods are evicted at once. Signals that are not named keep the defaults of Kubernetes',
  ),
  evictionSoft: perSignal(
    z.strictObject({
      threshold,
      gracePeriod: z
        .string()
        .regex(/^(\d{1,3}h)?(\d{1,4}m)?(\d{1,5}s)?$/, 'must be a duration such as 90s or 1m30s')
        .min(2)
        .describe('How long it has to last: 1m30s'),
    }),
  ).describe('Less is left for the grace period: pods are evicted, and get time to end'),
  staticPodPath: absolutePath
    .optional()
    .describe(
      'Folder of manifests of static pods, which the kubelet runs by itself; who writes there is root on the node',
    ),
  featureGates,
  logLevel,
};

const kubeletSchema = z.object(kubeletOptions);
export type KubeletOptions = z.output<typeof kubeletSchema>;

/** The typed options among raw ones of a kubelet; none where they are not valid. Pure. */
export function kubeletOptionsIn(raw: unknown): KubeletOptions {
  const parsed = kubeletSchema.safeParse(raw);
  return parsed.success ? parsed.data : {};
}

/** Keys of KubeletConfiguration for the typed options; those that are not given are not there. Pure. */
export function kubeletSettings(options: KubeletOptions): Record<string, unknown> {
  const { maxPods, kubeReserved, systemReserved, evictionHard, evictionSoft, staticPodPath } = options;
  const gates = sortedGates(options.featureGates);
  const soft = Object.entries(evictionSoft ?? {}) as [string, { threshold: string; gracePeriod: string }][];
  return {
    ...(maxPods === undefined ? {} : { maxPods }),
    ...(kubeReserved === undefined ? {} : { kubeReserved }),
    ...(systemReserved === undefined ? {} : { systemReserved }),
    // Without it the kubelet takes the signals that are not named as switched off.
    ...(evictionHard === undefined ? {} : { evictionHard, mergeDefaultEvictionSettings: true }),
    ...(soft.length === 0
      ? {}
      : {
          evictionSoft: Object.fromEntries(soft.map(([name, each]) => [name, each.threshold])),
          evictionSoftGracePeriod: Object.fromEntries(soft.map(([name, each]) => [name, each.gracePeriod])),
        }),
    ...(staticPodPath === undefined ? {} : { staticPodPath }),
    ...(gates.length === 0 ? {} : { featureGates: Object.fromEntries(gates) }),
  };
}
