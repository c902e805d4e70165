import { type ClusterSpec, kubeHosts } from '../../../contracts/cluster.ts';
import type { FieldIssue } from '../../../contracts/issues.ts';
import { cidrContains, cidrsOverlap } from '../../../contracts/primitives.ts';
import { internalIpv4 } from '../../kube/network.ts';
import type { OpenvswitchOptions } from './options.ts';

const OPTIONS = 'spec.phases.openvswitch';
/** Shorter prefixes would take in ranges that are in use everywhere, longer ones have too few host bits to keep hosts apart. */
const PREFIX = { shortest: 8, longest: 24 };

/** What of a spec does not go together with tunnels by Open vSwitch. Pure. */
export function meshIssues({
  cluster,
  options,
}: {
  cluster: ClusterSpec;
  options: OpenvswitchOptions;
}): readonly FieldIssue[] {
  // Tunnels of the kernel end at the addresses of the hosts.
  if (options.datapath === 'kernel') return [];
  const { tunnelCidr } = options;
  const path = `${OPTIONS}.tunnelCidr`;
  const issues: FieldIssue[] = [];
  const add = (message: string) => issues.push({ path, message });
  const bits = bitsOf(tunnelCidr);
  if (bits < PREFIX.shortest || bits > PREFIX.longest) {
    add(`must have a prefix of ${PREFIX.shortest} to ${PREFIX.longest} bits, not ${bits}`);
    return issues;
  }
  for (const field of ['podCidr', 'serviceCidr'] as const) {
    const range = cluster.spec.network[field];
    if (cidrsOverlap(tunnelCidr, range)) add(`${tunnelCidr} overlaps spec.network.${field} ${range}`);
  }
  const ends = new Map<string, string>();
  for (const host of cluster.spec.hosts) {
    for (const address of new Set([host.address, internalIpv4(host)])) {
      if (isAddress(address) && cidrContains(tunnelCidr, address)) {
        add(`${tunnelCidr} contains ${address}, the address of ${host.name}`);
      }
    }
  }
  for (const host of kubeHosts(cluster)) {
    const address = internalIpv4(host);
    // One that is a DNS name is known on the host alone.
    if (address === undefined) continue;
    const low = lowBits(address, bits);
    if (low === 0 || low === 2 ** (32 - bits) - 1) {
      add(
        `gives ${host.name} no address: the low ${32 - bits} bits of ${address} are those of a network or a broadcast`,
      );
    }
    const other = ends.get(String(low));
    if (other !== undefined) {
      add(
        `gives ${other} and ${host.name} the same address: ${address} has the same low ${32 - bits} bits; set a shorter prefix`,
      );
    }
    ends.set(String(low), host.name);
  }
  return issues;
}

const bitsOf = (range: string): number => Number(range.split('/')[1]);
const isAddress = (text: string | undefined): text is string => /^\d+\.\d+\.\d+\.\d+$/.test(text ?? '');

/** The bits of an address behind a prefix, as a number. */
function lowBits(address: string, bits: number): number {
  const value = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  return value % 2 ** (32 - bits);
}
