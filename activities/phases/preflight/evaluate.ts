import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { internalAddress } from '../../../contracts/cluster.ts';
import type { ErrorCode } from '../../../contracts/errors.ts';
import type { Host } from '../../../contracts/host.ts';
import { ipv4 } from '../../../contracts/primitives.ts';
import type { HostFacts } from '../../host/types.ts';
import { isMachineId } from './machines.ts';
import type { PreflightReport } from './report.ts';
import { supportedOs } from './supported-os.ts';
import type { Wants } from './wants.ts';

export interface PreflightOptions {
  allowUnsupportedOs: boolean;
  /** Folder → MiB. */
  minFreeMiB: Readonly<Record<string, number>>;
  minMemoryMiB: number;
  maxClockSkewSeconds: number;
}

export interface Problem {
  code: ErrorCode;
  message: string;
  evidence: string;
}

export interface PreflightInput {
  cluster: ClusterSpec;
  host: Host;
  facts: HostFacts;
  report: PreflightReport;
  wants: Wants;
  /** Another host of the cluster with the same machine-id, if one is known. */
  twin: Host | null;
  options: PreflightOptions;
  /** The worker's clock just before and after the script, ms since the epoch. */
  askedAtMs: number;
  answeredAtMs: number;
}

/** Everything that speaks against a host, the most basic first. Pure. */
export function evaluate(input: PreflightInput): Problem[] {
  return [system, identity, clock, cgroups, kernel, memory, disks, ports, network].flatMap((check) => check(input));
}

function system({ facts, options }: PreflightInput): Problem[] {
  const problem = (message: string, evidence: string): Problem => ({ code: 'OS_UNSUPPORTED', message, evidence });
  const { os } = facts;
  const problems: Problem[] = [];
  if (!options.allowUnsupportedOs && !supportedOs(os)) {
    const evidence = `/etc/os-release: ID=${os.id} VERSION_ID=${os.versionId} ID_LIKE=${os.idLike.join(' ')}`;
    problems.push(problem(`${os.name || os.id || 'this system'} is not supported`, evidence));
  }
  if (facts.arch !== 'amd64' && facts.arch !== 'arm64') {
    problems.push(problem(`the architecture ${facts.arch} is not supported`, `uname -m: ${facts.arch}`));
  }
  if (facts.initSystem !== 'systemd') {
    problems.push(problem('the host does not run systemd', `process 1: ${facts.initSystem}`));
  }
  return problems;
}

function identity({ cluster, host, facts, report, twin: double }: PreflightInput): Problem[] {
  const problem = (message: string, evidence: string): Problem => ({ code: 'HOST_IDENTITY_CLASH', message, evidence });
  const problems: Problem[] = [];
  if (!isMachineId(facts.machineId)) {
    problems.push(problem('the host has no machine-id', `/etc/machine-id: ${JSON.stringify(facts.machineId)}`));
  }
  const twin = cluster.spec.hosts.find(
    (each) => each.name !== host.name && report.addresses.includes(internalAddress(each)),
  );
  if (twin) {
    const evidence = `its addresses: ${report.addresses.join(', ')}; ${twin.name} is ${internalAddress(twin)}`;
    problems.push(problem(`the host is ${twin.name} too: one machine cannot be two hosts`, evidence));
  } else if (double) {
    const evidence = `machine-id of both: ${facts.machineId}`;
    problems.push(problem(`the host and ${double.name} are one machine, or one is a copy of the other`, evidence));
  }
  return problems;
}

function clock({ report, options, askedAtMs, answeredAtMs }: PreflightInput): Problem[] {
  // The script ran somewhere in between: only what lies outside is certain.
  const skewMs = Math.max(report.clockMs - answeredAtMs, askedAtMs - report.clockMs, 0);
  if (skewMs <= options.maxClockSkewSeconds * 1000) return [];
  const seconds = Math.round(skewMs / 1000);
  const which = report.clockMs < askedAtMs ? 'behind' : 'ahead';
  return [
    {
      code: 'CLOCK_SKEW',
      message: `the clock is ${seconds} s ${which}`,
      evidence: `host ${new Date(report.clockMs).toISOString()}, worker ${new Date(askedAtMs).toISOString()}; allowed ${options.maxClockSkewSeconds} s`,
    },
  ];
}

function cgroups({ facts, report, wants }: PreflightInput): Problem[] {
  if (!wants.kube) return [];
  const problem = (message: string, evidence: string): Problem => ({ code: 'CGROUPS_UNUSABLE', message, evidence });
  const missing = ['cpu', 'cpuset', 'memory', 'pids'].filter((name) => !report.controllers.includes(name));
  if (missing.length > 0) {
    return [problem(`cgroup controllers are off: ${missing.join(', ')}`, `on: ${report.controllers.join(' ')}`)];
  }
  if (facts.cgroup === 2 || wants.cgroupV1Allowed) return [];
  const wanted = 'spec.phases.nodes.kubelet.config.failCgroupV1: false, cgroupDriver: cgroupfs';
  return [problem('the host has cgroup v1, which the kubelet refuses', `to use it all the same: ${wanted}`)];
}

function kernel({ facts, report, wants }: PreflightInput): Problem[] {
  return wants.features
    .filter(({ name }) => (report.features.get(name) ?? null) === null)
    .map(({ name, symbol, reason }) => ({
      code: 'KERNEL_FEATURE_MISSING',
      message: `the kernel has no ${name}, wanted for: ${reason}`,
      evidence: `Linux ${facts.kernel}: ${name} is neither loaded nor built in (/proc/modules, /sys/module, modules.builtin, symbol ${symbol}) nor loadable (modprobe -n)`,
    }));
}

function memory({ facts, options, wants }: PreflightInput): Problem[] {
  if (!wants.kube || facts.memoryMiB >= options.minMemoryMiB) return [];
  const message = `${facts.memoryMiB} MiB of memory, at least ${options.minMemoryMiB} are wanted`;
  return [{ code: 'MEMORY_TOO_SMALL', message, evidence: `MemTotal: ${facts.memoryMiB} MiB` }];
}

function disks({ report, options }: PreflightInput): Problem[] {
  return report.disks.flatMap(({ folder, freeMiB, mountPoint, device }) => {
    const wanted = options.minFreeMiB[folder] ?? 0;
    if (freeMiB >= wanted) return [];
    const message = `${freeMiB} MiB free for ${folder}, at least ${wanted} are wanted`;
    return [{ code: 'DISK_FULL' as const, message, evidence: `df: ${device} on ${mountPoint}, ${freeMiB} MiB free` }];
  });
}

function ports({ report, wants }: PreflightInput): Problem[] {
  const foreign = report.ports.filter(({ port, exe }) => {
    const ours = wants.ports.get(port);
    // A binary that was upgraded under its running process.
    return ours !== undefined && exe.replace(/ \(deleted\)$/, '') !== ours;
  });
  return foreign.map(({ port, local, pid, name, exe }) => ({
    code: 'PORT_IN_USE',
    message: `port ${port} is taken by ${name} (pid ${pid})`,
    evidence: `ss: ${local} ${name} pid=${pid} ${exe}; wanted for ${wants.ports.get(port)}`,
  }));
}

function network({ cluster, host, report, wants }: PreflightInput): Problem[] {
  const problem = (message: string, evidence: string): Problem => ({ code: 'NETWORK_UNREACHABLE', message, evidence });
  const problems: Problem[] = [];
  const own = internalAddress(host);
  const address = ipv4.safeParse(own).success ? own : report.resolved;
  if (report.addresses.length > 0 && (address === null || !report.addresses.includes(address))) {
    const evidence = `internalAddress ${own}${address === own ? '' : ` (${address ?? 'does not resolve'})`}; its addresses: ${report.addresses.join(', ')}`;
    problems.push(problem('the host does not have its internal address: set internalAddress', evidence));
  }
  for (const { what, peers, least } of wants.peers) {
    const silent = peers.filter((peer) => !report.peers.has(peer));
    if (peers.length - silent.length >= least) continue;
    const evidence = `no answer within 2 s to ping or TCP: ${silent.slice(0, 20).join(', ')}`;
    const reached = peers.length - silent.length;
    problems.push(
      problem(`${what}: ${reached} of ${peers.length} can be reached, at least ${least} must be`, evidence),
    );
  }
  if (report.mirror !== null && report.mirror !== 'ok') {
    const mirror = cluster.spec.artifacts.mirror ?? '';
    problems.push(problem('the artifact mirror cannot be reached', `${mirror}: ${report.mirror}`));
  }
  return problems;
}
