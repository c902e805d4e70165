import { z } from 'zod';
import { type Host, host, type SshTarget, sshSettings } from './host.ts';
import { LIMITS } from './limits.ts';
import { HOST_FAILURE_POLICIES, OPERATORS_MAY } from './operation.ts';
import {
  address,
  cidr,
  cidrContains,
  cidrsOverlap,
  dnsLabel,
  hostname,
  httpUrl,
  ipv4,
  OPTION_TEXT,
  port,
  rangeOf,
  version,
} from './primitives.ts';
import { proxySettings } from './proxy.ts';
import { registrySettings } from './registries.ts';

const OPTION_MESSAGE = 'may have letters, digits, spaces and _.,:=/@%+~*?^<()[]{}- only';

/** Prefix length of the part of the pod range that each node has, unless the spec says another one. */
export const NODE_CIDR_MASK_SIZE = 24;

export const API_VERSION = 'kubewright.dev/v1alpha1';

/** What installs control planes and nodes; the first where a spec says nothing. */
const ENGINES = ['binaries', 'kubeadm'] as const;

/** Where the etcd of a control plane of kubeadm runs, in kubeadm's words. */
const ETCD_PLACES = ['stacked', 'external'] as const;

/** Where clients reach the API servers, and which phase makes that so. The provider sets what is not given. */
export const controlPlaneEndpoint = z
  .strictObject({
    provider: dnsLabel
      .optional()
      .describe(
        'Phase that provides the endpoint. Default: host-names without a host; with one load-balancer where hosts have that role, otherwise external',
      ),
    host: address.optional().describe('IPv4 address or DNS name'),
    port: port.optional().describe('TCP port; default: that of the provider'),
  })
  .describe('The one address at which nodes, certificates and kubeconfigs reach the API servers');

/** The desired state of one cluster, without the rules that span fields (see `clusterSpec`). */
export const clusterShape = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Cluster'),
  metadata: z.strictObject({ name: dnsLabel.max(40) }),
  spec: z.strictObject({
    kubernetes: z.strictObject({ version: version.default('1.36.3') }).prefault({}),
    hosts: z.array(host).min(1).max(LIMITS.hostsPerCluster),
    ssh: sshSettings.prefault({}).describe('SSH settings for all hosts'),
    network: z
      .strictObject({
        podCidr: cidr.default('10.244.0.0/16'),
        serviceCidr: cidr.default('10.96.0.0/16'),
        clusterDomain: hostname.max(120).default('cluster.local'),
        // Without a default: specs of before keep their digests. 576 is what every IPv4 host has to take (RFC 791).
        mtu: z
          .int()
          .min(576)
          .max(65_535)
          .optional()
          .describe(
            'MTU of the links of pods, bytes; default: the pod network finds it out. With the overhead of the network it has to fit the links between nodes',
          ),
        // Without a default: specs of before keep their digests.
        nodeCidrMaskSize: z
          .int()
          .min(16)
          .max(28)
          .optional()
          .describe("Prefix length of each node's part of podCidr, at most 16 more than that of podCidr; default 24"),
      })
      .prefault({}),
    // Without a default: specs of before keep their digests.
    controlPlane: z
      .strictObject({
        endpoint: controlPlaneEndpoint.optional(),
        engine: z
          .enum(ENGINES)
          .optional()
          .describe(
            'What installs control planes and nodes. Default `binaries`: systemd units. `kubeadm`: static pods and joins by kubeadm',
          ),
        etcd: z
          .enum(ETCD_PLACES)
          .optional()
          .describe(
            'With engine kubeadm, where etcd runs: `stacked`, as a static pod on each control plane, or `external`, by phase etcd on the hosts with that role. Default `stacked` where just the control planes have the role',
          ),
      })
      .optional()
      .describe('What nodes and people know of the control plane'),
    artifacts: z
      .strictObject({
        mirror: httpUrl
          .optional()
          .describe('Address of an artifact mirror that the hosts can reach; default: the official release files'),
      })
      .prefault({}),
    // Without a default: specs of before keep their digests.
    proxy: proxySettings
      .optional()
      .describe(
        'Proxy for packages, upstream images and release files. Only admins may set it. Traffic within the cluster bypasses it',
      ),
    // Without a default: specs of before keep their digests.
    registries: registrySettings
      .optional()
      .describe(
        'How nodes reach registries of others: mirrors, logins, authorities. Only admins may set it. The registry of the cluster needs no entry',
      ),
    policy: z
      .strictObject({
        onHostFailure: z
          .enum(HOST_FAILURE_POLICIES)
          .default('wait')
          .describe(
            'When a host fails permanently: `wait` for a decision, continue with the host in `quarantine`, or `abort` the operation',
          ),
        maxQuarantined: z
          .union([
            z.int().min(0).max(LIMITS.hostsPerCluster),
            z.string().regex(/^(100|[1-9]?[0-9])%$/, 'must be a number of hosts, or a percentage such as 20%'),
          ])
          .default('20%')
          .describe('Maximum number of hosts in quarantine; a percentage of all hosts is rounded up'),
        // Without defaults from here on: specs of before keep their digests.
        maxUnavailableNodes: z
          .union([
            z.int().min(1).max(LIMITS.hostsPerCluster),
            z.string().regex(/^(100|[1-9]?[0-9])%$/, 'must be a number of nodes, or a percentage such as 20%'),
          ])
          .optional()
          .describe(
            'Number of nodes that a build of a running cluster changes at the same time; default 10%. A percentage is rounded down, to at least one node. etcd members and control planes always change one at a time',
          ),
        operatorsMay: z
          .array(z.enum(OPERATORS_MAY))
          .max(OPERATORS_MAY.length)
          .optional()
          .describe(
            'Extra rights of operators: options that affect security, machines of control planes and etcd. Only admins may set it',
          ),
      })
      .prefault({}),
    phases: z
      .record(dnsLabel, z.record(z.string().max(64), z.unknown()))
      .default({})
      .describe('Options of each phase; GET /phases lists their schemas'),
  }),
});

/** ClusterSpec: the document that POST /clusters takes, as YAML or JSON. */
export const clusterSpec = clusterShape.superRefine((cluster, context) => {
  const { hosts, network } = cluster.spec;
  const issue = (path: (string | number)[], message: string) =>
    context.addIssue({ code: 'custom', path: ['spec', ...path], message });

  for (const field of ['name', 'address', 'internalAddress'] as const) {
    const seen = new Map<string, number>();
    hosts.forEach((each, index) => {
      // Without an internal address of its own a host is known to the others by its address.
      const value = field === 'internalAddress' ? internalAddress(each) : each[field];
      // Two SSH ports on one address are still one machine's worth of ports for Kubernetes.
      const first = seen.get(value);
      const isReported = field === 'internalAddress' && each.address === hosts[first ?? index]!.address;
      if (first === undefined) seen.set(value, index);
      else if (!isReported) issue(['hosts', index, field], `duplicates ${field} of hosts[${first}]: ${value}`);
    });
  }
  const isLoopback = (own: string) =>
    own === 'localhost' || (ipv4.safeParse(own).success && rangeOf(own) === 'loopback');
  // One machine, or several systems behind one loopback, are fine among themselves.
  const mixed = hosts.some((each) => !isLoopback(internalAddress(each)));
  hosts.forEach((each, index) => {
    const own = internalAddress(each);
    if (mixed && isLoopback(own)) {
      const field = each.internalAddress === undefined ? 'address' : 'internalAddress';
      issue(['hosts', index, field], `${own} is another machine for every other host; give internalAddress`);
    }
    if (each.name === 'cluster') issue(['hosts', index, 'name'], 'is a reserved word');
    if (new Set(each.roles).size !== each.roles.length) issue(['hosts', index, 'roles'], 'lists a role twice');
    // Its kubelet's certificate is of the same authority, for its name and addresses: it could pass for the API server.
    for (const field of ['name', 'address', 'internalAddress'] as const) {
      if (!each.roles.includes('control-plane') && isApiServerName(each[field], network.clusterDomain))
        issue(['hosts', index, field], `${each[field]} is a name of the API server`);
    }
    const credential = each.ssh?.credential ?? cluster.spec.ssh.credential;
    if (!credential) issue(['hosts', index, 'ssh', 'credential'], 'no credential here nor under spec.ssh');
    for (const [what, range] of [
      ['podCidr', network.podCidr],
      ['serviceCidr', network.serviceCidr],
    ] as const) {
      if (ipv4.safeParse(own).success && cidrContains(range, own))
        issue(['network', what], `contains the address of host ${each.name} (${own})`);
    }
  });

  for (const what of ['podCidr', 'serviceCidr'] as const) {
    const range = rangeOf(network[what].split('/')[0]!);
    if (['unspecified', 'loopback', 'linkLocal', 'multicast', 'broadcast'].includes(range)) {
      issue(['network', what], `${network[what]} is reserved for other uses (${range})`);
    }
  }
  plainOptions(cluster.spec.phases, ['phases'], issue);
  hosts.forEach((each, index) => {
    plainOptions(each.phases, ['hosts', index, 'phases'], issue);
  });

  const count = (name: string) => hosts.filter((each) => each.roles.some((one) => one === name)).length;
  if (count('control-plane') === 0) issue(['hosts'], 'no host has the role control-plane');
  const members = count('etcd');
  // None at all is for the phases to judge: the etcd may be one of the user's own.
  if (members > 0 && members % 2 === 0)
    issue(['hosts'], `${members} hosts have the role etcd; a quorum needs an odd number (1, 3, 5 or 7)`);
  if (members > 7) issue(['hosts'], `${members} hosts have the role etcd; more than 7 only slow it down`);
  if (count('registry') > 1) issue(['hosts'], 'more than one host has the role registry');
  if (cidrsOverlap(network.podCidr, network.serviceCidr))
    issue(['network', 'serviceCidr'], `overlaps podCidr (${network.podCidr})`);
  const podBits = Number(network.podCidr.split('/')[1]);
  const mask = network.nodeCidrMaskSize ?? NODE_CIDR_MASK_SIZE;
  if (podBits > mask - 2) issue(['network', 'podCidr'], `must be /${mask - 2} or larger: every node takes a /${mask}`);
  if (podBits < 8) issue(['network', 'podCidr'], 'must be /8 or smaller');
  // The controller manager does not start with more (cidrset.NewCIDRSet).
  else if (mask - podBits > 16)
    issue(
      ['network', 'nodeCidrMaskSize'],
      `must be at most ${podBits + 16}: the controller manager divides a /${podBits} into parts of at most 16 bits more`,
    );
  const room = 2 ** (mask - podBits);
  const nodes = hosts.filter(({ roles }) => roles.includes('worker') || roles.includes('control-plane')).length;
  if (nodes > room) {
    issue(['network', 'podCidr'], `has room for ${Math.floor(room)} nodes, a /${mask} each; ${nodes} hosts are nodes`);
  }
  if (Number(network.serviceCidr.split('/')[1]) > 24 || Number(network.serviceCidr.split('/')[1]) < 12)
    issue(['network', 'serviceCidr'], 'must be between /12 and /24');
});

const isApiServerName = (text: string | undefined, clusterDomain: string): boolean =>
  text !== undefined &&
  ['kubernetes', ...['', '.svc', `.svc.${clusterDomain}`].map((rest) => `kubernetes.default${rest}`)].includes(text);

/** Phase options may be free in form, never in letters: they end up in units, files and flags on the hosts. */
function plainOptions(
  value: unknown,
  path: (string | number)[],
  issue: (path: (string | number)[], message: string) => void,
): void {
  if (typeof value === 'string') {
    if (!OPTION_TEXT.test(value)) issue(path, OPTION_MESSAGE);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, each] of Object.entries(value)) {
    if (!OPTION_TEXT.test(key)) issue(path, `the key ${JSON.stringify(key.slice(0, 64))} ${OPTION_MESSAGE}`);
    else plainOptions(each, [...path, Array.isArray(value) ? Number(key) : key], issue);
  }
}

export type ClusterSpec = z.infer<typeof clusterSpec>;

/** The address that other hosts and certificates use for a host. */
export function internalAddress(each: Pick<Host, 'address' | 'internalAddress'>): string {
  return each.internalAddress ?? each.address;
}

/** Hosts that have the role, in the order of the spec. */
export function hostsWithRole(cluster: ClusterSpec, name: Host['roles'][number]): Host[] {
  return cluster.spec.hosts.filter((each) => each.roles.includes(name));
}

/** The spec without these hosts. */
export function withoutHosts(cluster: ClusterSpec, names: readonly string[]): ClusterSpec {
  const hosts = cluster.spec.hosts.filter(({ name }) => !names.includes(name));
  return { ...cluster, spec: { ...cluster.spec, hosts } };
}

/** Hosts that run a kubelet: workers and control planes. */
export function kubeHosts(cluster: ClusterSpec): Host[] {
  return cluster.spec.hosts.filter((each) => each.roles.includes('worker') || each.roles.includes('control-plane'));
}

/** The SSH target of a host: its own settings over the cluster's defaults. */
export function sshTarget(cluster: ClusterSpec, each: Host): SshTarget {
  const merged = { ...cluster.spec.ssh, ...each.ssh };
  if (!merged.credential) throw new Error(`host ${each.name} has no credential`);
  return {
    name: each.name,
    address: each.address,
    port: merged.port ?? 22,
    user: merged.user ?? 'root',
    credential: merged.credential,
    hostKey: merged.hostKey,
    jump: merged.jump,
    loginTimeoutSeconds: merged.loginTimeoutSeconds,
  };
}
