import { API_VERSION } from '../contracts/cluster.ts';
import { roleOf } from './roles.ts';
import type { ClusterSpecInput, LabHost } from './types.ts';

/** What about this machine changes how Kubernetes must run in its hosts. */
export interface MachineTraits {
  cgroupV2: boolean;
  /** False where even root cannot raise limits or lower OOM scores. */
  sysResource: boolean;
  /** True while the machine swaps. */
  swap: boolean;
}

/**
 * A spec for a lab's hosts that a user could have written: nothing in it that only the lab could say. `clients`: networks that a firewall of the
 * hosts has to let in to the API servers.
 */
export function labSpec(
  lab: { name: string; hosts: LabHost[]; virtualAddress: string; mirror: string | null; clients?: string[] },
  traits: MachineTraits,
): ClusterSpecInput {
  const [first] = lab.hosts;
  const known = lab.hosts.filter(({ name }) => roleOf(name) !== 'spare');
  const roles = rolesOf(known.map(({ name }) => name));
  const balanced = known.some(({ name }) => roleOf(name) === 'load-balancer');
  return {
    apiVersion: API_VERSION,
    kind: 'Cluster',
    metadata: { name: lab.name },
    spec: {
      ssh: { user: first?.user ?? 'root', credential: { keyFile: first?.sshKey ?? '' } },
      hosts: known.map(({ name, address, hostKey }) => ({ name, address, roles: roles(name), ssh: { hostKey } })),
      ...(balanced ? { controlPlane: { endpoint: { host: lab.virtualAddress } } } : {}),
      ...(lab.mirror === null ? {} : { artifacts: { mirror: lab.mirror } }),
      phases: {
        ...labPhases(traits),
        ...((lab.clients ?? []).length > 0 ? { prepare: { firewall: { apiFrom: lab.clients } } } : {}),
      },
    },
  };
}

/** Roles in the spec, by name. What there is one of is on the first control plane, or, beside balancers, on the first worker. */
function rolesOf(names: readonly string[]): (name: string) => string[] {
  const all = (role: string) => names.filter((name) => roleOf(name) === role);
  const candidates = all('etcd').length > 0 ? all('etcd') : all('control-plane');
  // etcd needs an odd number of members; an even number of hosts leaves the last one without.
  const members = candidates.slice(0, candidates.length - (candidates.length % 2 === 0 ? 1 : 0));
  // A cluster that loses any control plane, and goes on, is what a lab with balancers is for.
  const single = (all('load-balancer').length > 0 ? all('worker')[0] : undefined) ?? all('control-plane')[0];
  return (name) => {
    const own = roleOf(name);
    return [
      ...(own === 'control-plane' || own === 'load-balancer' ? [own] : []),
      ...(members.includes(name) ? ['etcd'] : []),
      ...(name === single ? ['registry', 'time-server'] : []),
      ...(own === 'control-plane' || own === 'worker' ? ['worker'] : []),
    ];
  };
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
