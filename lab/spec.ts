import { API_VERSION } from '../contracts/cluster.ts';
import type { ClusterSpecInput, LabHost } from './types.ts';

/** What about this machine changes how Kubernetes must run in its hosts. */
export interface MachineTraits {
  cgroupV2: boolean;
  /** False where even root cannot raise limits or lower OOM scores. */
  sysResource: boolean;
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

/** Phase options for a lab on this machine: on a cgroup v2 machine with all capabilities only the dashboard's. */
export function labPhases(traits: MachineTraits): Record<string, Record<string, unknown>> {
  return {
    // Headlamp's image cannot be built from packages alone; this one can.
    dashboard: { flavour: 'kube-web-view' },
    ...(traits.cgroupV2 ? {} : { nodes: CGROUP_V1_NODES }),
    ...(traits.cgroupV2 && traits.sysResource
      ? {}
      : { runtime: { config: { systemdCgroup: traits.cgroupV2, restrictOomScoreAdj: !traits.sysResource } } }),
  };
}

/** What kubelet and kube-proxy need where hosts have cgroup v1 (kubelet 1.36 refuses it unless told otherwise). */
const CGROUP_V1_NODES = {
  kubelet: { config: { failCgroupV1: false, cgroupDriver: 'cgroupfs', enforceNodeAllocatable: [], failSwapOn: false } },
  kubeProxy: { config: { conntrack: { maxPerCore: 0, min: 0 } } },
};
