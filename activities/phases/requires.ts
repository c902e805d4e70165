import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { ClientCertificateUse } from '../../contracts/credential-use.ts';
import type { Host, Role } from '../../contracts/host.ts';
import type { Arch, RequiredArtifact } from '../artifacts/artifact.ts';
import type { Image } from '../artifacts/image.ts';
import type { Founder } from '../kube/etcd-registry.ts';
import type { PortlessProtocol } from '../resources/firewall-needs.ts';
import type { LabelledFolder } from '../resources/selinux-folders.ts';
import { builds, isEnabled, isPlaced, keptRunning } from './desired.ts';
import { phaseOptions } from './options.ts';
import type { Phase, PhaseHosts } from './phase.ts';
import { placementOf } from './placement.ts';

/** A kernel module. `prepare` loads those with `load` now and at each boot; the kernel loads others when they are used. */
export interface RequiredModule {
  name: string;
  load?: true;
}

/**
 * A part of the kernel that has to be there before anything is built, as a module of this name or built in. The rest is how it
 * is recognised where neither /proc/modules nor a file names it: in containers, and when it is built in.
 */
export interface RequiredFeature extends RequiredModule {
  /** A symbol (/proc/kallsyms) that the kernel has when the feature is built in or loaded. */
  symbol?: string;
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
  /** Other values that do as well, where another file sets them. */
  alsoGood?: readonly string[];
  /** It belongs to the kernel, not to a network namespace: in a container it is the owner's of the machine. */
  kernelWide?: true;
}

/** What a phase needs of SELinux, on hosts where it is on: `prepare` sees to it before the phase. */
export interface RequiredSelinux {
  /** Packages with policies, by Debian's names. */
  policies?: readonly string[];
  /** Booleans that have to be on. */
  booleans?: readonly string[];
  /** Folders in places that no policy knows, with the usual place. */
  folders?: readonly LabelledFolder[];
}

/** Control groups. */
export interface RequiredCgroups {
  /** Controllers that have to be on. */
  controllers: readonly string[];
  /** Only the unified hierarchy (v2) will do: what refuses v1, and what to set to use v1 anyway. */
  v2?: { refusedBy: string; otherwise: string };
}

/**
 * Who sends packets: hosts of a role, all hosts, all nodes, pods, and clients beyond the cluster that the spec allows: those of
 * the API servers, and those of services of type NodePort.
 */
export type PacketSource = Role | 'all' | 'nodes' | 'pods' | 'api-clients' | 'node-port-clients';

/** A port on which something listens. */
export interface RequiredPort {
  protocol: 'tcp' | 'udp';
  port: number;
  /** What listens there, for messages and rules. */
  what: string;
  /** Path of the binary that may hold the port already; absent: preflight does not ask who holds it. */
  holder?: string;
  /** Paths of other binaries that may, because the phase ends them before it needs the port. */
  alsoHeldBy?: readonly string[];
  /** Who sends packets to it from other hosts; empty: only the host itself, no firewall has to let it in. */
  from: readonly PacketSource[];
  /** Where it listens, when that is not on the hosts of the phase: pods with the network of their node, say. */
  on?: PhaseHosts;
  /** The field of the spec that changes it, for the message of a clash. */
  setting?: string;
}

/** Ports that the phase gives out to others, one of them at a time: none of a program on the same host may be among them. */
export interface RequiredPortRange {
  from: number;
  to: number;
  /** What has them, for messages. */
  what: string;
  /** The field of the spec that changes the range, for the message of a clash. */
  setting: string;
}

/** A time daemon, beside which no other one may set the clock. Units without `.service`. */
export interface RequiredTimeDaemon {
  name: string;
  /** Its own unit, by the names of all distributions. */
  units: readonly string[];
  /** Those of other daemons. */
  rivals: readonly string[];
}

/** Packets of an IP protocol without ports that other hosts send. */
export interface RequiredProtocol {
  protocol: PortlessProtocol;
  /** What sends and receives them, for messages and rules. */
  what: string;
  from: readonly PacketSource[];
}

/**
 * An IPv4 address that moves between hosts by VRRP. Before one of them holds it, nothing else may answer for it, or send VRRP
 * with its router id.
 */
export interface RequiredVirtualAddress {
  address: string;
  /** Its interface; null: the one that has a network with the address. */
  link: string | null;
  /** VRRP's virtual router id, 1 to 255. */
  routerId: number;
  /** Addresses of the hosts that share it. */
  holders: readonly string[];
  /** Seconds between two advertisements. */
  advertSeconds: number;
  /** A file of ours that has the address and the router id once the host takes part, and the unit that then runs. */
  config: string;
  unit: string;
  /** What needs it, for messages. */
  what: string;
}

/** Packets of pods go from node to node without a tunnel: every other node is reached without a gateway. */
export interface RequiredLink {
  /** What needs it, for the message. */
  what: string;
}

/** Links that the phase's programs make. Where its unit has not been placed yet, a link of such a name is another's. */
export interface RequiredLinkNames {
  names: readonly string[];
  /** Without `.service`. */
  unit: string;
  /** What makes them, for the message. */
  what: string;
}

/** A range of IPv4 addresses that the phase's programs use on the hosts, beside those of `spec.network`. */
export interface RequiredRange {
  range: string;
  /** The field of the spec that changes it. */
  field: string;
}

/** IPv4 packets of this size pass from node to node in one piece. */
export interface RequiredPackets {
  bytes: number;
  /** What sends them, for the message. */
  what: string;
}

/** Machines for which a program exists. */
export interface RequiredMachines {
  only: readonly Arch[];
  /** What exists for them alone, for the message. */
  what: string;
}

/** Rules that the phase's programs make in the packet filter by themselves: preflight reads none of them as those of a firewall. */
export interface OwnRules {
  /** How the names of its iptables chains begin. */
  chains?: readonly string[];
  /** Names of its nft tables; `*` stands for any characters. */
  tables?: readonly string[];
  /** It accepts packets of pods at the end of the iptables chain FORWARD, so that the policy of the chain drops none. */
  acceptsForwarded?: true;
}

/** A daemon of the distribution that the phase runs with settings of its own, and that the host may have already. */
export interface RequiredDaemon {
  /** Its name in messages. */
  what: string;
  /** Packages that it comes from. */
  packages: readonly string[];
  /** Packages that cannot be there beside them: they would be removed. */
  others: readonly string[];
  /** Its units, which have to be those of the packages. */
  units: readonly string[];
  /** Units of other installations, which serve in its place. */
  rivals: readonly string[];
  /** sh that prints what it runs for others, a line each, within 5 s. */
  used: string;
  /** What these would lose, as the end of a sentence. */
  loses: string;
  /** The option that chooses the packages. */
  setting: string;
}

/** The data folder of an etcd member that the phase runs. Data of another member there is refused before anything is built. */
export interface RequiredEtcdData {
  /** etcd's own folder in it is `member`. */
  folder: string;
  /**
   * What is in the host's ledger before the member writes for the first time: a unit with `.service`, or the path of a file.
   * Where it is, the data are the phase's own.
   */
  writtenBy: string;
  /** The field of the spec that changes the folder, for the message. */
  setting: string;
}

/** DNS SRV records of one name, which have to lead to just these targets, as the host's own name servers answer. */
export interface RequiredSrv {
  /** Without the dot at its end. */
  name: string;
  /** `address`: the IPv4 address that the name of the target has to have; null: any. */
  targets: readonly { host: string; port: number; address: string | null }[];
  /** A path: where it exists the records are not asked for any more. */
  unless?: string;
  /** What needs them, for the message. */
  reason: string;
}

/** Where nodes will reach the API servers, provided by others: it must lead to this cluster, or to nothing yet. */
export interface RequiredEndpoint {
  /** Name or IPv4 address. */
  host: string;
  port: number;
  /** The field of the spec that says so, for messages. */
  field: string;
}

/** A client certificate of the user with which checks on the host ask a server of others: `curl_as` in their scripts. */
export interface RequiredCertificate extends ClientCertificateUse {
  /** A key of the cluster's state: once it is there, the certificate is not opened any more. */
  until?: string;
}

/** An etcd of others in which the first members of the cluster's etcd find each other, before they have data. */
export interface RequiredDiscovery {
  /** Addresses such as https://10.0.0.5:2379; empty with a `url`. */
  endpoints: readonly string[];
  token: string;
  /** The URL of a service with the API of etcd 2. */
  url?: string;
  /** Name of the credential whose client certificate it is asked with; null: none. */
  credential: string | null;
  /** All first members, as they register. */
  founders: readonly Founder[];
  /** A path: where it exists discovery is not asked any more. */
  unless: string;
  /** A key of the cluster's state: once it is there, discovery is not asked any more. */
  until: string;
}

/**
 * What a phase needs of its hosts and of the cluster before it starts. Data: `prepare`, `preflight`, `binaries`, `registry` and
 * `master` read it in a loop over the enabled phases, so none of them knows another phase.
 */
export interface Requirements {
  /** Packages of the distribution by Debian's names: `activities/host/family/` has the names of other families. */
  packages?: readonly string[];
  /** Those that the phase itself installs, after files that keep them from starting with settings of the distribution: `prepare` does not. */
  deferredPackages?: readonly string[];
  modules?: readonly RequiredModule[];
  features?: readonly RequiredFeature[];
  /** By name, with dots. */
  sysctls?: Readonly<Record<string, RequiredSysctl>>;
  /** Swap has to be off. */
  swapOff?: boolean;
  selinux?: RequiredSelinux;
  cgroups?: RequiredCgroups;
  daemon?: RequiredDaemon;
  /** The time daemon that it runs. */
  timeDaemon?: RequiredTimeDaemon;
  ports?: readonly RequiredPort[];
  portRanges?: readonly RequiredPortRange[];
  protocols?: readonly RequiredProtocol[];
  virtualAddresses?: readonly RequiredVirtualAddress[];
  /** Whose packets a host has to pass on: those of `pods` to anywhere, those of others to pods. */
  forwards?: readonly PacketSource[];
  ownRules?: OwnRules;
  sharesLink?: RequiredLink;
  ownLinks?: RequiredLinkNames;
  ranges?: readonly RequiredRange[];
  packets?: RequiredPackets;
  machines?: RequiredMachines;
  /**
   * Files and folders that its pods, or daemons of its packages, fill on a host: `prepare` notes what is there before packages are
   * installed and pods run, and a teardown takes away the rest. A phase whose programs are pods alone has to name some, or its hook
   * `teardown` runs on no host where it placed nothing itself.
   */
  fills?: readonly string[];
  etcdData?: RequiredEtcdData;
  srvRecords?: readonly RequiredSrv[];
  endpoint?: RequiredEndpoint;
  certificates?: readonly RequiredCertificate[];
  discovery?: RequiredDiscovery;
  /** What it installs. Of phases that wait for `binaries` on the same host, that one downloads it while etcd forms. */
  artifacts?: readonly RequiredArtifact[];
  /** Images that it runs: the cluster's registry is filled with them. */
  images?: readonly Image[];
  /** Objects that have to be in the cluster as soon as there is an API server: roles and bindings of its certificates. `master` applies them. */
  objects?: readonly object[];
}

/** What `requires` of a phase is given: no facts, so that a plan can read it. */
export interface RequiresView<Options> {
  cluster: ClusterSpec;
  host: Host;
  /** The phase's options on the host. */
  options: Options;
}

/** Requirements of one phase on a host. Each port says where it listens. */
export interface PhaseRequirements extends Requirements {
  phase: string;
  ports?: readonly (RequiredPort & { on: PhaseHosts })[];
  /** systemd units that it keeps running there, without `.service`. */
  units?: readonly string[];
}

/** The units of ours on a host, which phases place there with a file of their own. Pure. */
export const unitsOf = (requirements: readonly PhaseRequirements[]): string[] =>
  requirements.flatMap(({ units = [] }) => units).map((name) => `${name}.service`);

/**
 * What the phases require of a host, in the order of `phases`: all of an enabled phase that runs there, of others the ports
 * that they open `on` it, and what a phase requires though it is off. Throws SPEC_INVALID on wrong options. Pure.
 */
export function requirementsOn(cluster: ClusterSpec, host: Host, phases: Iterable<Phase>): PhaseRequirements[] {
  const found: PhaseRequirements[] = [];
  const known = [...phases];
  for (const phase of known) {
    const enabled = builds(phase) && isEnabled(cluster, phase);
    const instead = phase.requiresWhenOff && !enabled && !isReplaced(cluster, phase, known);
    const requires = enabled ? phase.requires : instead && phase.requiresWhenOff;
    const units = (enabled && keptRunning(cluster, phase).units) || [];
    if (!requires && units.length === 0) continue;
    const all = requires ? requires({ cluster, host, options: phaseOptions(cluster, phase, host) }) : {};
    const ports = (all.ports ?? [])
      .map((port) => ({ ...port, on: port.on ?? phase.hosts }))
      .filter(({ on }) => isPlaced(cluster, { hosts: on }, host));
    if (isPlaced(cluster, phase, host))
      found.push({ ...all, ports, ...(units.length > 0 ? { units } : {}), phase: phase.name });
    else if (ports.length > 0) found.push({ phase: phase.name, ports });
  }
  return found;
}

/** Another phase that is on provides what this one would. */
const isReplaced = (cluster: ClusterSpec, phase: Phase, phases: readonly Phase[]): boolean =>
  !builds(phase) ||
  phases.some(
    (other) =>
      other.name !== phase.name &&
      other.provides?.some((name) => phase.provides?.includes(name)) === true &&
      builds(other) &&
      isEnabled(cluster, other),
  );

/** What the enabled phases that have hosts require of the whole cluster (images, objects), each read once. Throws SPEC_INVALID. Pure. */
export function requirementsOfCluster(cluster: ClusterSpec, phases: Iterable<Phase>): PhaseRequirements[] {
  const host = cluster.spec.hosts[0]!;
  const found: PhaseRequirements[] = [];
  for (const phase of phases) {
    if (!phase.requires || !builds(phase) || !isEnabled(cluster, phase)) continue;
    if (phase.hosts !== 'controller' && placementOf(cluster, phase.hosts).length === 0) continue;
    const { images, objects } = phase.requires({ cluster, host, options: phaseOptions(cluster, phase) });
    found.push({ phase: phase.name, ...(images ? { images } : {}), ...(objects ? { objects } : {}) });
  }
  return found;
}
