import { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { hostsWithRole, internalAddress } from '../../../contracts/cluster.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import type { Host } from '../../../contracts/host.ts';
import { cidr, ipv4 } from '../../../contracts/primitives.ts';
import { CLUSTER_MARK, formatMark, markOf } from '../../host/cluster-mark.ts';
import { kubeChoices } from '../../kube/choices.ts';
import { isContainer } from '../../kube/container-host.ts';
import { apiServersInTurn, hasApiServersName } from '../../kube/network.ts';
import { firewallNeeds } from '../../kube/openings.ts';
import { API_SERVERS_HOSTNAME, KUBEWRIGHT_DIR, PROXY_ENV, REGISTRY_HOSTNAME } from '../../kube/paths.ts';
import { directServers, proxyEnvironment } from '../../kube/proxy.ts';
import { EARLIER_SYSCTL_FILE, kubeSysctls, LOWER_BOUNDS, SYSCTL_FILE } from '../../kube/sysctls.ts';
import { unitsOf } from '../../leftovers/units.ts';
import { absent } from '../../resources/absent.ts';
import { directory } from '../../resources/directory.ts';
import { file } from '../../resources/file.ts';
import { firewalldRules } from '../../resources/firewalld-rules.ts';
import { foreignLeftovers } from '../../resources/foreign-leftovers.ts';
import { hostnameIs } from '../../resources/hostname.ts';
import { hostsEntries } from '../../resources/hosts-entries.ts';
import { kernelModules } from '../../resources/kernel-modules.ts';
import { packages } from '../../resources/packages.ts';
import type { Resource } from '../../resources/resource.ts';
import { swapOff } from '../../resources/swap-off.ts';
import { swapUnitsMasked } from '../../resources/swap-units.ts';
import { sysctls } from '../../resources/sysctls.ts';
import { ufwRules } from '../../resources/ufw-rules.ts';
import { SYSCTLS_FREE } from '../free-flags.ts';
import { definePhase, type PhaseContext } from '../phase.ts';
import { distrustCluster } from './firewalld.ts';
import { basePackages } from './packages.ts';

const options = z.strictObject({
  hostname: z.boolean().default(true).describe('True: set the host name to the name in the spec'),
  packages: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9+.-]{0,99}$/, 'must be the name of a package'))
    .max(50)
    .default([])
    .describe('More packages of the distribution'),
  sysctls: z
    .record(
      z.string().regex(/^[a-z0-9_][a-zA-Z0-9_./-]{0,199}$/, 'must be the name of a kernel setting'),
      z
        .string()
        .max(200)
        .regex(/^[\w .:,+-]*$/, 'must be the value of a kernel setting'),
    )
    .default({})
    .describe('More kernel settings; they override those of Kubewright'),
  firewall: z
    .strictObject({
      mode: z
        .enum(['open', 'leave'])
        .default('open')
        .describe(
          'open: Kubewright adds rules for the cluster to an active ufw or firewalld; leave: firewalls stay as they are, and preflight reports what they block',
        ),
      apiFrom: z
        .array(cidr)
        .max(64)
        .default([])
        .describe('Networks outside the cluster that may reach the API servers; only an active firewall enforces this'),
      nodePortsFrom: z
        .array(cidr)
        .max(64)
        .default([])
        .describe(
          'Networks outside the cluster that may reach services of type NodePort; only an active firewall enforces this',
        ),
    })
    .prefault({}),
});
type Options = z.output<typeof options>;

/** What every later phase counts on: names, packages, kernel modules and settings. */
export default definePhase({
  name: 'prepare',
  title: 'Base system',
  hosts: 'all',
  // Hosts reach them by names in /etc/hosts; workers need no name.
  dependsOnAddressesOf: ['control-plane', 'etcd', 'registry'],
  needs: [{ phase: 'preflight', on: 'same-host' }],
  timeouts: { applyMs: 10 * 60_000, verifyMs: 10_000 },
  expectedMs: 8_000,
  options,
  guarded: [
    // Installed as root, from wherever the host takes its packages.
    { option: 'packages' },
    { option: 'sysctls', free: SYSCTLS_FREE },
    // Who beyond the cluster is let in.
    { option: 'firewall', free: ['mode'] },
  ],
  resources: async (context) => {
    const { cluster, host, facts } = context;
    const kube = isKubeHost(context);
    const wanted = basePackages(cluster, host, context.options.packages);
    return [
      ...(context.options.hostname ? [hostnameIs(host.name)] : []),
      hostsEntries([...clusterNames(cluster), ...apiServersName(cluster, host)]),
      directory(KUBEWRIGHT_DIR),
      file(CLUSTER_MARK, formatMark(await markOf(cluster, context.pki))),
      ...(context.optionsOf<{ leftovers: string }>('preflight').leftovers === 'clean'
        ? [foreignLeftovers(unitsOf(host))]
        : []),
      ...firewallRules(context),
      // Before the first package.
      await proxyEnvironment(context, PROXY_ENV),
      packages(wanted, directServers(cluster)),
      ...(kube
        ? [
            kernelModules(['overlay', 'br_netfilter', 'nf_conntrack'], { file: '/etc/modules-load.d/kubewright.conf' }),
            sysctls(
              { ...kubeSysctls(isContainer(facts)), ...context.options.sysctls },
              { file: SYSCTL_FILE, atLeast: LOWER_BOUNDS.filter((key) => !(key in context.options.sysctls)) },
            ),
            // Where versions up to 0.1 had it: /etc/sysctl.d/99-*.conf won over it.
            absent(EARLIER_SYSCTL_FILE),
            // Units first: one that runs again between the two would bring swap back. A container's swap is its machine's.
            ...(kubeChoices(cluster, host).swapAllowed
              ? []
              : [swapUnitsMasked(), swapOff({ ofOthers: isContainer(facts) })]),
          ]
        : []),
    ];
  },
  hooks: {
    teardown: (run) => (run.facts.packageManager === 'dnf' ? distrustCluster(run) : Promise.resolve([])),
  },
});

/** Both tools: which of them is on is found out on the host. */
function firewallRules({ cluster, host, options }: PhaseContext<Options>): Resource[] {
  if (options.firewall.mode === 'leave') return [];
  const needs = firewallNeeds(cluster, host);
  return [ufwRules(needs), firewalldRules(needs, internalAddress(host))];
}

const isKubeHost = ({ host }: PhaseContext<Options>): boolean =>
  host.roles.includes('worker') || host.roles.includes('control-plane');

/** /etc/hosts: every host by its name in the spec, and the registry. Hosts known by a DNS name resolve by DNS. */
function clusterNames(cluster: ClusterSpec): { address: string; names: string[] }[] {
  const registry = hostsWithRole(cluster, 'registry')[0];
  if (registry && !ipv4.safeParse(internalAddress(registry)).success) {
    throw new KubewrightError('SPEC_INVALID', `the registry host ${registry.name} needs an IPv4 internalAddress`, {
      evidence: `${REGISTRY_HOSTNAME} is written into /etc/hosts, which takes addresses only`,
    });
  }
  return cluster.spec.hosts
    .filter((each) => ipv4.safeParse(internalAddress(each)).success)
    .map((each) => ({
      address: internalAddress(each),
      names: each === registry ? [each.name, REGISTRY_HOSTNAME] : [each.name],
    }));
}

/** A line per API server, for resolvers take the addresses of a name in the order of its lines. */
function apiServersName(cluster: ClusterSpec, host: Host): { address: string; names: string[] }[] {
  if (!hasApiServersName(cluster)) return [];
  return apiServersInTurn(cluster, host).map((address) => ({ address, names: [API_SERVERS_HOSTNAME] }));
}
