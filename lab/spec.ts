import { API_VERSION } from '../contracts/cluster.ts';
import type { ClusterSpecInput, LabHost } from './types.ts';

/** What about this machine changes how Kubernetes must run in its hosts. */
export interface MachineTraits {
  cgroupV2: boolean;
  /** False where even root cannot raise limits or lower OOM scores. */
  sysResource: boolean;
  /** True while the machine swaps. */
  swap: boolean;
}

/** A spec for a lab's hosts that a user could have written: nothing in it that only the lab could say. */
export function labSpec(
  lab: { name: string; hosts: LabHost[]; controlPlanes: number; mirror: string | null },
  traits: MachineTraits,
): ClusterSpecInput {
  const [first] = lab.hosts;
  return {
    apiVersion: API_VERSION,
    kind: 'Cluster',
    metadata: { name: lab.name },
    spec: {
      ssh: { user: first?.user ?? 'root', credential: { keyFile: first?.sshKey ?? '' } },
      hosts: lab.hosts.map(({ name, address, hostKey }, index) => ({
        name,
        address,
        roles: rolesOf(index, lab.controlPlanes),
        ssh: { hostKey },
      })),
      ...(lab.mirror === null ? {} : { artifacts: { mirror: lab.mirror } }),
      phases: labPhases(traits),
    },
  };
}

function rolesOf(index: number, controlPlanes: number): string[] {
  if (index >= controlPlanes) return ['worker'];
  // etcd needs an odd number of members; an even number of control planes leaves the last one without.
  const etcd = index < controlPlanes - (controlPlanes % 2 === 0 ? 1 : 0) ? ['etcd'] : [];
  return ['control-plane', ...etcd, ...(index === 0 ? ['registry', 'time-server'] : []), 'worker'];
}

/**
 * All hosts of all labs see the whole machine's disk and memory: one that is 85 % full must not evict pods in tests about
 * other things. Tests about disks set thresholds of their own.
 */
const LAB_EVICTION = {
  evictionHard: {
    'memory.available': '50Mi',
    'nodefs.available': '1%',
    'nodefs.inodesFree': '1%',
    'imagefs.available': '1%',
    'imagefs.inodesFree': '1%',
  },
  evictionPressureTransitionPeriod: '10s',
  imageGCHighThresholdPercent: 100,
  imageGCLowThresholdPercent: 99,
} as const;

/** Phase options for a lab on this machine: what containers that play machines cannot do, and the dashboard. */
export function labPhases(traits: MachineTraits): Record<string, Record<string, unknown>> {
  const kubelet = {
    // The kubelet 1.36 refuses cgroup v1 by default. Each host has hierarchies of its own: no cgroupRoot.
    ...(traits.cgroupV2 ? {} : { failCgroupV1: false, cgroupDriver: 'cgroupfs' }),
    // Swap is the machine's, hosts cannot turn it off.
    ...(traits.swap ? { failSwapOn: false } : {}),
    ...LAB_EVICTION,
  };
  const runtime = {
    ...(traits.cgroupV2 ? {} : { systemdCgroup: false }),
    ...(traits.sysResource ? {} : { restrictOomScoreAdj: true }),
  };
  return {
    // Headlamp's image cannot be built from packages alone; this one can.
    dashboard: { flavour: 'kube-web-view' },
    nodes: {
      kubelet: { config: kubelet },
      // Only the machine itself may set nf_conntrack_max, no network namespace: 0 leaves it alone.
      kubeProxy: { config: { conntrack: { maxPerCore: 0, min: 0 } } },
    },
    ...(Object.keys(runtime).length === 0 ? {} : { runtime: { config: runtime } }),
  };
}
