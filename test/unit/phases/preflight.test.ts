import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { judgeSystem } from '../../../activities/host/family/systems.ts';
import { clusterStateOf } from '../../../activities/phases/cluster-state.ts';
import type { Check, CheckInput } from '../../../activities/phases/preflight/check.ts';
import { optionShapes, scanChecks } from '../../../activities/phases/preflight/checks.ts';
import { recordMachine } from '../../../activities/phases/preflight/machines.ts';
import preflight from '../../../activities/phases/preflight/phase.ts';
import { evaluate, evidenceOf, probeScript, readAnswers } from '../../../activities/phases/preflight/probe.ts';
import { phaseRun } from '../../../activities/tasks/phase-run.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import type { Host } from '../../../contracts/host.ts';
import { LIMITS } from '../../../contracts/limits.ts';
import { FakeHost } from '../../fakes/fake-host.ts';
import { memoryClusterState } from '../../fakes/memory-cluster-state.ts';
import { type GoldenCase, requirementsOf, sampleCluster, sampleContext, sampleFacts } from '../../golden/golden.ts';

const NOW = 1_790_000_000_000;

const checks = await scanChecks();

/** What a host that has everything answers; checks that are not here find nothing to say. */
const HEALTHY = [
  `clock\t${NOW}000000`,
  'disks\t/var/lib\t8388608\t/\t/dev/sda1',
  'disks\t/usr/local\t8388608\t/\t/dev/sda1',
  'disks\t/etc\t8388608\t/\t/dev/sda1',
  'identity\taddress\t127.0.0.1',
  'identity\taddress\t10.20.0.11',
  'internal-address\taddress\t127.0.0.1',
  'internal-address\taddress\t10.20.0.11',
  'cgroups\tcpuset cpu io memory pids',
  'kernel-features\toverlay\tloaded',
  'kernel-features\tbr_netfilter\t/proc/sys/net/bridge/bridge-nf-call-iptables',
  'kernel-features\tnf_conntrack\tloadable',
  'kernel-features\tnf_tables\t/proc/kallsyms nft_register_chain_type',
  'kernel-features\tvxlan\t/sys/module/vxlan',
  'peers\t10.20.0.12:22\tping',
  'peers\t10.20.0.12:22\topen',
  'peers\t10.20.0.13:22\trefused',
  'mirror\tok',
  'ports\t6443\t*:6443\t812\tkube-apiserver\t/usr/local/bin/kube-apiserver',
  'ports\t2379\t10.20.0.11:2379\t813\tetcd\t/usr/local/bin/etcd (deleted)',
];
const ENDS = checks.map(({ name }) => `${name}\t.`);

interface Case {
  sample?: Omit<GoldenCase, 'name'>;
  /** Lines in place of those of the same kind and first word. */
  lines?: string[];
  without?: string;
  facts?: Partial<CheckInput['facts']>;
  options?: Record<string, unknown>;
  /** A host with the same machine-id. */
  duplicateHost?: string;
}

function problems({ sample = {}, lines = [], without, facts, options, duplicateHost }: Case) {
  const cluster = sampleCluster(sample);
  const host = cluster.spec.hosts.find((each) => each.name === (sample.host ?? 'cp-1'))!;
  const head = (line: string) => line.split('\t').slice(0, 2).join('\t');
  const replaced = new Set(lines.map(head));
  const kept = HEALTHY.filter((line) => !replaced.has(head(line)) && !(without && line.startsWith(without)));
  return evaluate(
    checks,
    {
      cluster,
      host,
      requirements: requirementsOf(cluster, host),
      facts: { ...sampleFacts, ...facts },
      duplicateHost: cluster.spec.hosts.find((each) => each.name === duplicateHost) ?? null,
      options: z.strictObject(optionShapes(checks)).parse(options ?? {}),
      askedAtMs: NOW - 50,
      answeredAtMs: NOW + 200,
    },
    readAnswers([...kept, ...lines, ...ENDS].join('\n')),
  );
}

test('a host that has everything has no problem, also with our own processes on the ports', () => {
  expect(problems({})).toEqual([]);
});

test.each<[string, string, RegExp, Case]>([
  [
    'an old Debian',
    'OS_UNSUPPORTED',
    /ID=debian VERSION_ID=11/,
    { facts: { os: { ...sampleFacts.os, versionId: '11' } } },
  ],
  [
    'an Ubuntu that is not tested',
    'OS_UNTESTED',
    /VERSION_ID=25\.10.*supported: .*Ubuntu 22\.04, 24\.04/,
    { facts: { os: { ...sampleFacts.os, id: 'ubuntu', versionId: '25.10' } } },
  ],
  [
    'a package that the family lacks',
    'PACKAGE_UNAVAILABLE',
    /^ntpsec .*package manager dnf.*EPEL/,
    {
      facts: { os: { ...sampleFacts.os, id: 'rocky', versionId: '9.6' }, packageManager: 'dnf' },
      sample: { phases: { prepare: { packages: ['ntpsec', 'tree'] } } },
    },
  ],
  [
    'a package that only repositories of others have, and none of the host offers',
    'PACKAGE_UNAVAILABLE',
    /^openvswitch-switch .*dnf, which does not offer openvswitch\): .*NFV SIG/,
    {
      facts: { os: { ...sampleFacts.os, id: 'rocky', versionId: '9.6' }, packageManager: 'dnf' },
      sample: { phases: { prepare: { packages: ['openvswitch-switch'] } } },
      lines: ['packages\topenvswitch\tmissing'],
    },
  ],
  ['a copy of another machine', 'HOST_IDENTITY_CLASH', /machine-id of both: 0123/, { duplicateHost: 'worker-1' }],
  ['another machine', 'OS_UNSUPPORTED', /riscv64/, { facts: { arch: 'riscv64' } }],
  ['no systemd', 'OS_UNSUPPORTED', /openrc/, { facts: { initSystem: 'openrc' } }],
  ['no machine-id', 'HOST_IDENTITY_CLASH', /machine-id/, { facts: { machineId: '' } }],
  ['the address of another host', 'HOST_IDENTITY_CLASH', /10\.20\.0\.13/, { lines: ['identity\taddress\t10.20.0.13'] }],
  ['a clock ahead', 'CLOCK_SKEW', /allowed 300 s/, { lines: [`clock\t${NOW + 600_000}000000`], without: 'clock' }],
  ['a clock behind', 'CLOCK_SKEW', /allowed 300 s/, { lines: [`clock\t${NOW - 600_000}000000`], without: 'clock' }],
  ['cgroup v1', 'CGROUPS_UNUSABLE', /failCgroupV1/, { facts: { cgroup: 1 } }],
  ['no memory controller', 'CGROUPS_UNUSABLE', /on: cpu/, { lines: ['cgroups\tcpu cpuset pids'], without: 'cgroups' }],
  ['no vxlan', 'KERNEL_FEATURE_MISSING', /vxlan_dev_create/, { without: 'kernel-features\tvxlan' }],
  [
    'no ip_vs',
    'KERNEL_FEATURE_MISSING',
    /ip_vs/,
    { sample: { phases: { nodes: { kubeProxy: { config: { mode: 'ipvs' } } } } } },
  ],
  ['little memory', 'MEMORY_TOO_SMALL', /512 MiB/, { facts: { memoryMiB: 512 } }],
  ['a full disk', 'DISK_FULL', /sda1 on \/, 100 MiB/, { lines: ['disks\t/var/lib\t102400\t/\t/dev/sda1'] }],
  [
    'a foreign listener',
    'PORT_IN_USE',
    /nginx pid=77 \/usr\/sbin\/nginx/,
    { lines: ['ports\t6443\t0.0.0.0:6443\t77\tnginx\t/usr/sbin/nginx'] },
  ],
  [
    'a foreign listener of two processes',
    'PORT_IN_USE',
    /nginx pid=77 \/usr\/sbin\/nginx/,
    {
      lines: [
        'ports\t6443\t0.0.0.0:6443\t77\tnginx\t/usr/sbin/nginx\t1',
        'ports\t6443\t0.0.0.0:6443\t78\tnginx\t/usr/sbin/nginx\t1',
        'ports\t6443\t0.0.0.0:6443\t79\tkube-apiserver\t/usr/local/bin/kube-apiserver\t2',
      ],
    },
  ],
  [
    'a Debian etcd',
    'PORT_IN_USE',
    /\/usr\/bin\/etcd/,
    { lines: ['ports\t2379\t127.0.0.1:2379\t77\tetcd\t/usr/bin/etcd'] },
  ],
  [
    "another machine's address",
    'NETWORK_UNREACHABLE',
    /internalAddress 10\.20\.0\.11/,
    { without: 'internal-address\taddress\t10.20' },
  ],
  ['no quorum in reach', 'NETWORK_UNREACHABLE', /10\.20\.0\.12:22, 10\.20\.0\.13:22/, { without: 'peers' }],
  [
    'no mirror',
    'NETWORK_UNREACHABLE',
    /Could not connect/,
    { lines: ['mirror\tcurl: (7) Could not connect'], without: 'mirror' },
  ],
])('%s is %s', (_name, code, evidence, input) => {
  const found = problems(input);
  expect(found.map((problem) => problem.code)).toEqual([code]);
  expect(found[0]?.evidence).toMatch(evidence);
});

test('a program that our server is just starting has its sockets until exec closes them: they are ours', () => {
  const lines = [
    'ports\t10256\t*:10256\t5375\tkube-proxy\t/usr/sbin/nft\t1',
    'ports\t10256\t*:10256\t4100\tkube-proxy\t/usr/local/bin/kube-proxy\t1',
  ];
  expect(problems({ lines })).toEqual([]);
});

test('a host of the cluster whose system was upgraded to a version that is not tested stays accepted, an old one does not', () => {
  const upgraded = { facts: { os: { ...sampleFacts.os, versionId: '14' } } };
  expect(problems(upgraded)).toMatchObject([{ code: 'OS_UNTESTED' }]);
  expect(problems({ ...upgraded, lines: ['system\tbuilt'] })).toEqual([]);
  expect(problems({ ...upgraded, options: { allowUnsupportedOs: true } })).toEqual([]);
  const old = { facts: { os: { ...sampleFacts.os, versionId: '11' } }, lines: ['system\tbuilt'] };
  expect(problems(old)).toMatchObject([{ code: 'OS_UNSUPPORTED' }]);
});

test('features outside the plan are not checked', () => {
  const elsewhere: Case['sample'] = {
    hosts: [
      { name: 'cp-1', address: '10.20.0.11', roles: ['registry'] },
      { name: 'cp-2', address: '10.20.0.12', roles: ['control-plane', 'etcd'] },
    ],
  };
  expect(problems({ sample: elsewhere, without: 'kernel', facts: { cgroup: 1, memoryMiB: 400 } })).toEqual([]);
  // One of three members may be away.
  expect(problems({ without: 'peers\t10.20.0.13' })).toEqual([]);
  expect(
    problems({ facts: { cgroup: 1 }, sample: { phases: { nodes: { kubelet: { config: { failCgroupV1: false } } } } } }),
  ).toEqual([]);
  expect(
    problems({ sample: { phases: { flannel: { backend: 'host-gw' } } }, without: 'kernel-features\tvxlan' }),
  ).toEqual([]);
  expect(
    problems({ options: { allowUnsupportedOs: true }, facts: { os: { ...sampleFacts.os, id: 'nixos' } } }),
  ).toEqual([]);
});

test('the systems that are supported', () => {
  const os = (id: string, versionId: string, idLike: string[] = []) =>
    judgeSystem({
      os: { id, versionId, idLike, name: '' },
      packageManager: ['debian', 'ubuntu', 'linuxmint'].includes(id) ? 'apt' : 'dnf',
    }).verdict !== 'unsupported';
  expect([
    os('debian', '12'),
    os('debian', '13'),
    os('debian', ''),
    os('ubuntu', '22.04'),
    os('ubuntu', '24.10'),
  ]).not.toContain(false);
  expect([os('rocky', '9.4', ['rhel']), os('ol', '10.0'), os('anolis', '9', ['rhel', 'fedora'])]).not.toContain(false);
  expect([
    os('debian', '11'),
    os('ubuntu', '20.04'),
    os('rhel', '8.10'),
    os('alpine', '3.22'),
    os('linuxmint', '22', ['debian']),
  ]).not.toContain(true);
});

/** What the facts script says on a machine that can become a host. */
const FACTS = [
  'hostname=cp-1',
  'machineId=0123456789abcdef0123456789abcdef',
  'bootId=00000000-0000-4000-8000-000000000001',
  'arch=x86_64',
  'kernel=6.12.0',
  'os.ID=debian',
  'os.VERSION_ID="12"',
  'packages=apt-get',
  'init=systemd',
  'cgroup=2',
  'cpus=2',
  'memoryKiB=4194304',
  'virt=kvm',
].join('\n');

async function runOn(remote: FakeHost): Promise<void> {
  remote.on('machineId=', FACTS);
  const context = await sampleContext(preflight);
  const run = phaseRun(context, {
    phase: 'preflight',
    remote,
    changes: [],
    verified: false,
    signal: new AbortController().signal,
  });
  await preflight.hooks?.before?.(run as never);
}

/** The answer of a healthy host at this moment. */
const answer = () => [...HEALTHY, ...ENDS].join('\n').replace(`${NOW}000000`, `${Date.now()}000000`);

test('the phase asks for facts and checks once, and names all problems with the first one as code', async () => {
  const good = new FakeHost('cp-1').on('say "$(date', answer());
  await runOn(good);
  expect(good.commands).toHaveLength(2);
  expect(good.commands[1]?.argv).toEqual(
    expect.arrayContaining([
      '2379 2380 5000 6443 10248 10249 10250 10256 10257 10259',
      '/usr/local',
      '10.20.0.12:22',
      '10.20.0.13:22',
      'overlay,ovl_fill_super,-,-',
      'br_netfilter,br_netfilter_enable,/proc/sys/net/bridge/bridge-nf-call-iptables,-',
      'vxlan,vxlan_dev_create,-,vxlan+id+1+dstport+0',
      '10.20.0.11',
      'http://mirror.test:8081/manifest.json',
    ]),
  );

  const late = new FakeHost('cp-1').on('say "$(date', [...HEALTHY, ...ENDS].join('\n').replace('8388608', '1'));
  const error = await runOn(late).catch((reason: unknown) => reason);
  expect(KubewrightError.is(error) && error).toMatchObject({ code: 'CLOCK_SKEW', host: 'cp-1', phase: 'preflight' });
  expect(KubewrightError.is(error) && error.evidence).toMatch(/CLOCK_SKEW.*\n[^]*DISK_FULL/);
});

test('a check that ended early is named: its silence is no clean bill of health', async () => {
  const cut = new FakeHost('cp-1').on('say "$(date', answer().replace('peers\t.\n', ''));
  await expect(runOn(cut)).rejects.toMatchObject({ code: 'COMMAND_FAILED', message: /ended early: peers$/ });
});

test('the script takes its values as arguments, and each check gets its own', () => {
  const check = (name: string, args: string[] | null): Check => ({
    ...checks.find((each) => !('load' in each))!,
    name,
    probe: { script: 'say "$@"; false', args: () => args },
  });
  const [host] = sampleCluster().spec.hosts as [Host];
  const { text, args } = probeScript(
    [check('one', ['a b', '$(id)']), check('two', null), check('three-four', ["'", ''])],
    { cluster: sampleCluster(), host, requirements: [], options: {} },
  );
  const run = spawnSync('sh', ['-eu', '-s', '--', ...args], { input: text, encoding: 'utf8' });
  expect(run.stderr).toBe('');
  expect(Object.fromEntries(readAnswers(run.stdout))).toEqual({ one: [['a b', '$(id)']], 'three-four': [["'", '']] });
});

test('all problems have room in the evidence', () => {
  const many = Array.from({ length: 30 }, (_, at) => ({
    code: 'DISK_FULL' as const,
    message: `problem ${at}`,
    evidence: 'x'.repeat(5000),
  }));
  const text = evidenceOf(many);
  expect(text.length).toBeLessThanOrEqual(LIMITS.evidenceChars);
  expect(text).toContain('problem 0\n');
  expect(text).toContain('problem 29\n');
});

describe('machines', () => {
  const cluster = sampleCluster();
  const [first, second] = cluster.spec.hosts as [Host, Host];
  const at = (host: Host, operation: string, of = cluster) => ({ cluster: of, host, operation });
  const ID = 'a'.repeat(32);

  test('that two hosts share are reported on the second one, in either order', async () => {
    const clusterState = clusterStateOf(memoryClusterState(), 'sample', 'apply');
    expect(await recordMachine(clusterState, at(first, 'op-1'), ID)).toBeNull();
    expect(await recordMachine(clusterState, at(second, 'op-1'), ID)).toEqual({ host: first, fresh: true });
    const both = await Promise.all([first, second].map((host) => recordMachine(clusterState, at(host, 'op-2'), ID)));
    expect(both.some((duplicateHost) => duplicateHost !== null)).toBe(true);
    // Put right on one side.
    expect(await recordMachine(clusterState, at(second, 'op-3'), 'b'.repeat(32))).toBeNull();
    expect(await recordMachine(clusterState, at(first, 'op-3'), ID)).toBeNull();
  });

  test('of an earlier operation count, unless the host has another address now', async () => {
    const clusterState = clusterStateOf(memoryClusterState(), 'sample', 'apply');
    await recordMachine(clusterState, at(first, 'op-1'), ID);
    expect(await recordMachine(clusterState, at(second, 'op-2'), ID)).toEqual({ host: first, fresh: false });
    const moved = structuredClone(cluster);
    moved.spec.hosts[0]!.address = '10.20.0.99';
    expect(await recordMachine(clusterState, at(second, 'op-3', moved), ID)).toBeNull();
  });
});
