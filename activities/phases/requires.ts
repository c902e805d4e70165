import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Host, Role } from '../../contracts/host.ts';
import { builds, isEnabled, isPlaced } from './desired.ts';
import { phaseOptions } from './options.ts';
import type { Phase, PhaseHosts } from './phase.ts';

/** Packages of the distribution, by the family of its package manager. */
export interface RequiredPackages {
  apt: readonly string[];
  dnf: readonly string[];
}

/** A kernel module. `prepare` loads those with `load` now and at each boot; the kernel loads others when they are used. */
export interface RequiredModule {
  name: string;
  load?: true;
}

/** A feature of the kernel, built in or as a module: how it is recognised where neither /proc/modules nor a file names it. */
export interface RequiredFeature {
  name: string;
  /** A symbol (/proc/kallsyms) that the kernel has when the feature is built in or loaded. */
  symbol: string;
  /** A path that exists only with the feature. */
  sign?: string;
  /** Words after `ip link add NAME type`, when it is a type of interface. */
  linkType?: string;
  /** What needs it, for the message of KERNEL_FEATURE_MISSING. */
  reason: string;
}

/** A kernel setting. */
export interface RequiredSysctl {
  value: string;
  /** More is as good. */
  atLeast?: true;
  /** It belongs to the kernel, not to a network namespace: in a container it is the owner's of the machine. */
  kernelWide?: true;
}

/** Who sends packets: hosts of a role, all hosts, all nodes, pods, and clients beyond the cluster that the spec allows. */
export type PacketSource = Role | 'all' | 'nodes' | 'pods' | 'api-clients';

/** A port on which something listens. */
export interface RequiredPort {
  protocol: 'tcp' | 'udp';
  port: number;
  /** What listens there, for messages and rules. */
  what: string;
  /** Path of the binary that may hold the port already; absent: preflight does not ask who holds it. */
  holder?: string;
  /** Who sends packets to it from other hosts; empty: only the host itself, no firewall has to let it in. */
  from: readonly PacketSource[];
  /** Where it listens, when that is not on the hosts of the phase: pods with the network of their node, say. */
  on?: PhaseHosts;
}

/** A file of the catalogue that the phase installs. */
export interface RequiredArtifact {
  name: string;
  version: string;
}

/**
 * What a phase needs of its hosts and of the cluster before it starts. Data: `prepare`, `preflight`, `binaries`, `registry` and
 * `master` read it in a loop over the enabled phases, so none of them knows another phase.
 */
export interface Requirements {
  packages?: RequiredPackages;
  modules?: readonly RequiredModule[];
  features?: readonly RequiredFeature[];
  /** By name, with dots. */
  sysctls?: Readonly<Record<string, RequiredSysctl>>;
  /** Swap has to be off. */
  swapOff?: boolean;
  /** The host has to have the unified cgroup hierarchy (v2). */
  cgroupV2?: boolean;
  ports?: readonly RequiredPort[];
  /** Sources whose packets to pods a host has to pass on, beside those of pods. */
  forwards?: readonly PacketSource[];
  /** Downloaded before the phase's own turn. */
  artifacts?: readonly RequiredArtifact[];
  /** Images of the catalogue that it runs: the cluster's registry is filled with them. */
  images?: readonly string[];
  /** Objects that have to be in the cluster as soon as there is an API server: roles and bindings of its certificates. */
  objects?: readonly object[];
}

/** What `requires` of a phase is given: no facts, so that a plan can read it. */
export interface RequiresView<Options> {
  cluster: ClusterSpec;
  host: Host;
  /** The phase's options on the host. */
  options: Options;
}

/** Requirements of one phase on a host. */
export interface PhaseRequirements extends Requirements {
  phase: string;
}

/**
 * What the enabled phases require of a host, in the order of `phases`: all of a phase that runs there, and of others the
 * ports that they open `on` it. Throws SPEC_INVALID on wrong options. Pure.
 */
export function requirementsOn(cluster: ClusterSpec, host: Host, phases: Iterable<Phase>): PhaseRequirements[] {
  const found: PhaseRequirements[] = [];
  for (const phase of phases) {
    if (!phase.requires || !builds(phase) || !isEnabled(cluster, phase)) continue;
    const all = phase.requires({ cluster, host, options: phaseOptions(cluster, phase, host) });
    const placed = isPlaced(cluster, phase, host);
    const ports = (all.ports ?? []).filter(({ on }) =>
      on === undefined ? placed : isPlaced(cluster, { hosts: on }, host),
    );
    if (placed) found.push({ ...all, ports, phase: phase.name });
    else if (ports.length > 0) found.push({ phase: phase.name, ports });
  }
  return found;
}

/** What the enabled phases require of the whole cluster (images, objects), each read once. Throws SPEC_INVALID. Pure. */
export function requirementsOfCluster(cluster: ClusterSpec, phases: Iterable<Phase>): PhaseRequirements[] {
  const host = cluster.spec.hosts[0]!;
  const found: PhaseRequirements[] = [];
  for (const phase of phases) {
    if (!phase.requires || !builds(phase) || !isEnabled(cluster, phase)) continue;
    const { images, objects } = phase.requires({ cluster, host, options: phaseOptions(cluster, phase) });
    found.push({ phase: phase.name, ...(images ? { images } : {}), ...(objects ? { objects } : {}) });
  }
  return found;
}
