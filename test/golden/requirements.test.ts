import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { phaseOptions } from '../../activities/phases/options.ts';
import { scanPhases } from '../../activities/phases/phase-loader.ts';
import type { CheckHost, CheckInput } from '../../activities/phases/preflight/check.ts';
import { scanChecks } from '../../activities/phases/preflight/checks.ts';
import prepare from '../../activities/phases/prepare/phase.ts';
import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import {
  expectGoldenFiles,
  type GoldenCase,
  requirementsOf,
  sampleCluster,
  sampleContext,
  sampleFacts,
} from './golden.ts';

/** What the phases of a cluster ask of each kind of host: what prepare sets up, and what preflight asks for. */

const checks = await scanChecks();
const checkOf = (name: string) => checks.find((each) => each.name === name)!;

const checkHost = (cluster: ClusterSpec, host: Host): CheckHost<never> => ({
  cluster,
  host,
  requirements: requirementsOf(cluster, host),
  options: {} as never,
});

const container = { virtualization: 'systemd-nspawn' } as const;
const separate = [
  ...[1, 2, 3].map((n) => ({ name: `cp-${n}`, address: `10.20.0.1${n}`, roles: ['control-plane'] })),
  ...[1, 2, 3].map((n) => ({ name: `etcd-${n}`, address: `10.20.0.2${n}`, roles: ['etcd'] })),
  { name: 'images', address: '10.20.0.31', roles: ['registry'] },
  { name: 'time', address: '10.20.0.32', roles: ['time-server'] },
  { name: 'worker-1', address: '10.20.0.41', roles: ['worker'] },
  { name: 'worker-2', address: 'worker-2.example.com', roles: ['worker'] },
];
const single = [
  {
    name: 'only',
    address: '10.20.0.11',
    roles: ['control-plane', 'etcd', 'worker', 'registry', 'time-server'],
  },
];

/** Everything that is asked of one host, in words. */
async function asked(golden: Omit<GoldenCase, 'name'>, cluster: ClusterSpec, host: Host): Promise<object> {
  const facts = { ...sampleFacts, ...golden.facts };
  const resources = (await prepare.resources?.(await sampleContext(prepare, { ...golden, host: host.name }))) ?? [];
  const prepared = resources.filter(({ kind }) =>
    ['packages', 'kernel-modules', 'sysctls', 'swap-units', 'swap-off', 'ufw-rules', 'firewalld-rules'].includes(kind),
  );
  const of = checkHost(cluster, host);
  const input: CheckInput<never> = { ...of, facts, duplicateHost: null, askedAtMs: 0, answeredAtMs: 0 };
  const args = (name: string) => checkOf(name).probe?.args(of as CheckHost<never>) ?? null;
  /** What of each problem's evidence is not the same in all of them. */
  const problems = (name: string, rows: readonly (readonly string[])[], part = /^.*$/s) =>
    args(name) === null
      ? null
      : checkOf(name)
          .evaluate(input, rows)
          .map(({ message, evidence }) => part.exec(evidence)?.at(-1) ?? message);
  const keys = args('sysctl-files')?.[0]?.split(' ') ?? [];
  const ports = args('ports')?.[0]?.split(' ').filter(Boolean) ?? [];
  return {
    prepare: prepared,
    preflight: {
      'kernel-features': args('kernel-features')?.toSorted() ?? null,
      'none of the features': problems('kernel-features', [], /^$/)?.sort() ?? null,
      'module-files': args('module-files')?.toSorted(),
      'sysctl-files': problems(
        'sysctl-files',
        [...keys].sort().map((key) => ['set', '/etc/sysctl.d/zzz.conf', '1', key, 'wrong']),
        /wanted: ([^;]*)/,
      ),
      'more of a limit, no filter': problems('sysctl-files', [
        ['set', '/etc/sysctl.d/zzz.conf', '1', 'fs.inotify.max_user_watches', '1048576'],
        ['set', '/etc/sysctl.d/zzz.conf', '2', 'net.ipv4.conf.all.rp_filter', '0'],
      ]),
      ports: problems(
        'ports',
        ports
          .toSorted((a, b) => Number(a) - Number(b))
          .map((port) => [port, `*:${port}`, '7', 'nginx', '/usr/sbin/nginx']),
        /(\d+ nginx .*)/,
      ),
      'a script that runs swapon': problems('swap', [['line', '/etc/rc.local, line 3', 'swapon']]),
      'no controller': problems('cgroups', [['']]),
      'cgroup v1':
        args('cgroups') === null
          ? null
          : checkOf('cgroups').evaluate({ ...input, facts: { ...facts, cgroup: 1 } }, [['cpuset cpu io memory pids']]),
      'everything dropped': problems('firewall', [
        ['iptables', ':INPUT DROP [0:0]'],
        ['iptables', ':FORWARD ACCEPT [0:0]'],
        ['iptables', '-A FORWARD -j DROP'],
      ]),
      'packages that a proxy brings': args('proxy'),
    },
  };
}

test.each<GoldenCase>([
  { name: 'one-host', hosts: single },
  { name: 'separate-hosts', hosts: separate },
  { name: 'container', facts: container },
  { name: 'proxy-iptables', phases: { nodes: { kubeProxy: { mode: 'iptables' } } } },
  { name: 'proxy-ipvs', phases: { nodes: { kubeProxy: { mode: 'nftables', config: { mode: 'ipvs' } } } } },
  { name: 'flannel-host-gw', hosts: separate, phases: { flannel: { backend: 'host-gw' } } },
  { name: 'flannel-udp', phases: { flannel: { backend: 'udp' } } },
  { name: 'flannel-etcd', hosts: separate, phases: { flannel: { subnetManager: 'etcd' } } },
  { name: 'flannel-wireguard', phases: { flannel: { backend: 'wireguard' } } },
  { name: 'flannel-vxlan-port', phases: { flannel: { vxlanPort: 4789 } } },
  { name: 'openvswitch-gre', phases: { openvswitch: {} } },
  { name: 'openvswitch-vxlan-kernel', phases: { openvswitch: { tunnel: 'vxlan', datapath: 'kernel' } } },
  { name: 'swap-by-config', phases: { nodes: { kubelet: { config: { failSwapOn: false, failCgroupV1: false } } } } },
  { name: 'swap-by-flag', phases: { nodes: { kubelet: { extraArgs: { 'fail-swap-on': 'false' } } } } },
  {
    name: 'no-swap-by-flag',
    phases: { nodes: { kubelet: { config: { failSwapOn: false }, extraArgs: { 'fail-swap-on': 'true' } } } },
  },
  {
    name: 'options-of-prepare',
    hosts: separate,
    phases: {
      prepare: {
        packages: ['jq'],
        sysctls: { 'vm.max_map_count': '262144', 'fs.inotify.max_user_watches': '1000' },
        firewall: { apiFrom: ['192.0.2.0/24'], nodePortsFrom: ['198.51.100.0/24'] },
      },
    },
  },
  {
    name: 'firewall-left',
    hosts: single.concat([{ name: 'worker-1', address: '10.20.0.41', roles: ['worker'] }]),
    phases: { prepare: { firewall: { mode: 'leave' } }, chrony: { provider: 'none' }, metrics: { enabled: false } },
  },
])('hosts of $name', async ({ name, ...golden }) => {
  const cluster = sampleCluster(golden);
  const files = new Map<string, string>();
  for (const host of golden.hosts ? cluster.spec.hosts : cluster.spec.hosts.slice(0, 1)) {
    files.set(
      `${host.name}.yaml`,
      stringify(await asked(golden, cluster, host), { lineWidth: 0, aliasDuplicateObjects: false }),
    );
  }
  expectGoldenFiles(`requirements/${name}`, files);
});

test.each(['ipip', 'ipsec'])('flannel has no backend %s', async (backend) => {
  const flannel = (await scanPhases()).find(({ name }) => name === 'flannel')!;
  expect(() => phaseOptions(sampleCluster({ phases: { flannel: { backend } } }), flannel)).toThrow(/invalid/);
});
