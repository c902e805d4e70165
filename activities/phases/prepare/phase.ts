import type { z } from 'zod';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { hostsWithRole, internalAddress } from '../../../contracts/cluster.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { ipv4 } from '../../../contracts/primitives.ts';
import { familyOf } from '../../host/family/families.ts';
import { formatMarker, markerOf, OWNERSHIP_MARKER } from '../../host/ownership-marker.ts';
import { isContainer } from '../../kube/container-host.ts';
import { API_SERVERS_HOSTNAME, KUBEWRIGHT_DIR, PROXY_ENV, REGISTRY_HOSTNAME } from '../../kube/paths.ts';
import { directServers, proxyEnvironment } from '../../kube/proxy.ts';
import { absent } from '../../resources/absent.ts';
import { directory } from '../../resources/directory.ts';
import { file } from '../../resources/file.ts';
import { filled } from '../../resources/filled.ts';
import { firewalldRules } from '../../resources/firewalld-rules.ts';
import { foreignLeftovers } from '../../resources/foreign-leftovers.ts';
import { hostnameIs } from '../../resources/hostname.ts';
import { hostsEntries } from '../../resources/hosts-entries.ts';
import { kernelModules } from '../../resources/kernel-modules.ts';
import { packages } from '../../resources/packages.ts';
import type { Resource } from '../../resources/resource.ts';
import { selinuxBooleans } from '../../resources/selinux-booleans.ts';
import { selinuxFolders } from '../../resources/selinux-folders.ts';
import { swapOff } from '../../resources/swap-off.ts';
import { swapUnitsMasked } from '../../resources/swap-units.ts';
import { sysctls } from '../../resources/sysctls.ts';
import { ufwRules } from '../../resources/ufw-rules.ts';
import { controlPlaneEndpoint } from '../capabilities/control-plane-endpoint.ts';
import { firewallNeeds } from '../firewall.ts';
import { SYSCTLS_FREE } from '../free-flags.ts';
import { definePhase, type PhaseContext } from '../phase.ts';
import { cleansLeftovers } from '../preflight/public.ts';
import { modulesToLoad, requiredPackages, requiredSelinux } from '../required.ts';
import { type PhaseRequirements, requirementsOn, unitsOf } from '../requires.ts';
import { distrustCluster } from './firewalld.ts';
import { prepareOptions } from './options.ts';
import { EARLIER_SYSCTL_FILE, SYSCTL_FILE, settingsOf } from './settings.ts';

type Options = z.output<typeof prepareOptions>;

/** What Kubewright's own commands and scripts run, on every host. */
const BASE = ['ca-certificates', 'curl', 'iproute2', 'kmod', 'mount', 'procps'];

/** What every later phase counts on: names, packages, kernel modules and settings. */
export default definePhase({
  name: 'prepare',
  title: 'Base system',
  hosts: 'all',
  // Hosts reach them by names in /etc/hosts, and let them in; workers need no name.
  dependsOnAddressesOf: ['control-plane', 'etcd', 'registry', 'load-balancer'],
  needs: [{ phase: 'preflight', on: 'same-host' }],
  timeouts: { applyMs: 10 * 60_000, verifyMs: 10_000 },
  expectedMs: 8_000,
  options: prepareOptions,
  requires: ({ options }) => ({ packages: [...BASE, ...options.packages] }),
  guarded: [
    // Installed as root, from wherever the host takes its packages.
    { option: 'packages' },
    { option: 'sysctls', free: SYSCTLS_FREE },
    // Who beyond the cluster is let in.
    { option: 'firewall', free: ['mode'] },
  ],
  resources: async (context) => {
    const { cluster, host } = context;
    const requirements = requirementsOn(cluster, host, context.phases.values());
    return [
      ...(context.options.hostname ? [hostnameIs(host.name)] : []),
      // Up to version 0.1 this block had the name of the API servers too.
      hostsEntries(clusterNames(cluster), { moves: { name: API_SERVERS_HOSTNAME, block: 'host-names' } }),
      directory(KUBEWRIGHT_DIR),
      file(OWNERSHIP_MARKER, formatMarker(await markerOf(cluster, context.pki))),
      ...(cleansLeftovers(cluster, host) ? [foreignLeftovers(unitsOf(requirements))] : []),
      ...firewallRules(context, requirements),
      // Before the first package.
      await proxyEnvironment(context, { path: PROXY_ENV, endpoint: context.offer(controlPlaneEndpoint).host }),
      // Daemons of a package fill them as soon as it is installed.
      ...filledFolders(requirements),
      // One run of the package manager for all phases. Each asks for its own as well: this saves time, nothing depends on it.
      packages(requiredPackages(requirements), directServers(cluster), { sorted: true }),
      ...selinux(context, requirements),
      ...kernel(context, requirements),
    ];
  },
  hooks: {
    teardown: (run) => (familyOf(run.facts).firewall === 'firewalld' ? distrustCluster(run) : Promise.resolve([])),
  },
});

const filledFolders = (requirements: readonly PhaseRequirements[]): Resource[] =>
  requirements.flatMap(({ phase, fills = [] }) => (fills.length > 0 ? [filled(phase, [...fills].sort())] : []));

/** Both tools: which of them is on is found out on the host. */
function firewallRules(
  { cluster, host, options }: PhaseContext<Options>,
  requirements: readonly PhaseRequirements[],
): Resource[] {
  if (options.firewall.mode === 'leave') return [];
  const needs = firewallNeeds(cluster, host, requirements, options.firewall);
  return [ufwRules(needs), firewalldRules(needs, internalAddress(host))];
}

/** semanage, which keeps rules for labels. */
const SEMANAGE = 'policycoreutils-python-utils';

/** Policies, booleans and labels of folders, where SELinux is on: it stays on. */
function selinux({ cluster, facts }: PhaseContext<Options>, requirements: readonly PhaseRequirements[]): Resource[] {
  if (facts.selinux === undefined) return [];
  const { policies, booleans, folders } = requiredSelinux(requirements);
  const names = [...policies, ...(folders.length > 0 ? [SEMANAGE] : [])];
  return [
    ...(names.length > 0 ? [packages(names, directServers(cluster), { sorted: true })] : []),
    ...(booleans.length > 0 ? [selinuxBooleans(booleans)] : []),
    ...(folders.length > 0 ? [selinuxFolders(folders)] : []),
  ];
}

/** Modules, settings and swap, on hosts whose phases require something of the kernel. */
function kernel({ facts, options }: PhaseContext<Options>, requirements: readonly PhaseRequirements[]): Resource[] {
  const container = isContainer(facts);
  const modules = modulesToLoad(requirements);
  const settings = settingsOf(requirements, options.sysctls, { container });
  // Those of the kernel too where it is another's: a host of an earlier version was verified with them.
  const all = settingsOf(requirements, options.sysctls, { container: false });
  const atLeast = [...all].flatMap(([key, setting]) => (setting.atLeast && !(key in options.sysctls) ? [key] : []));
  const values = Object.fromEntries([...settings].map(([key, { value }]) => [key, value]));
  return [
    ...(modules.length > 0 ? [kernelModules(modules, { file: '/etc/modules-load.d/kubewright.conf' })] : []),
    ...(settings.size > 0
      ? [
          sysctls(values, { file: SYSCTL_FILE, atLeast: atLeast.sort() }),
          // Where versions up to 0.1 had it: /etc/sysctl.d/99-*.conf won over it.
          absent(EARLIER_SYSCTL_FILE),
        ]
      : []),
    // Units first: one that runs again between the two would bring swap back. A container's swap is its machine's.
    ...(requirements.some(({ swapOff }) => swapOff) ? [swapUnitsMasked(), swapOff({ ofOthers: container })] : []),
  ];
}

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
