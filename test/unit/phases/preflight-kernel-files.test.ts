import { expect, test } from 'vitest';
import type { CheckInput } from '../../../activities/phases/preflight/check.ts';
import moduleFiles from '../../../activities/phases/preflight/checks/module-files.ts';
import sysctlFiles from '../../../activities/phases/preflight/checks/sysctl-files.ts';
import { type GoldenCase, requirementsOf, sampleCluster, sampleFacts } from '../../golden/golden.ts';

function input(sample: Omit<GoldenCase, 'name'> = {}): CheckInput<never> {
  const cluster = sampleCluster(sample);
  return {
    cluster,
    host: cluster.spec.hosts[0]!,
    requirements: requirementsOf(cluster, cluster.spec.hosts[0]!),
    options: {} as never,
    facts: { ...sampleFacts, ...sample.facts },
    duplicateHost: null,
    askedAtMs: 0,
    answeredAtMs: 0,
  };
}
const sysctls = (rows: string[], sample?: Omit<GoldenCase, 'name'>) =>
  sysctlFiles.evaluate(
    input(sample),
    rows.map((row) => row.split(' ')),
  );

test.each([
  [
    'a file that sorts after ours',
    'set /etc/sysctl.d/zzz.conf 3 net.ipv4.ip_forward 0',
    /zzz\.conf, line 3: .*sorts after/,
  ],
  ['what sysctl --system applies last', 'set /etc/sysctl.conf 9 net.ipv4.ip_forward 0', /sysctl --system/],
  ['the other name of a setting', 'set /etc/sysctl.conf 9 net.ipv4.conf.all.forwarding 0', /all\.forwarding = 0/],
  [
    'strict filtering for every interface',
    'set /etc/sysctl.d/zzz.conf 1 net.ipv4.conf.*.rp_filter 1',
    /wanted: net\.ipv4\.conf\.all\.rp_filter = 2/,
  ],
  [
    'one interface that forwards nothing',
    'set /etc/sysctl.d/60-a.conf 2 net.ipv4.conf.eth0.forwarding 0',
    /eth0\.forwarding = 0/,
  ],
  [
    'every interface, whatever the order',
    'set /etc/sysctl.d/10-a.conf 2 net.ipv4.conf.*.forwarding 0',
    /whatever comes after/,
  ],
  ['no modules after boot', 'set /etc/sysctl.d/10-a.conf 2 kernel.modules_disabled 1', /modules_disabled = 1/],
  ['a kubelet that would not start', 'set /run/sysctl.d/zzz.conf 2 vm.panic_on_oom 1', /panic_on_oom = 0/],
])('%s', (_what, row, evidence) => {
  expect(sysctls([row])).toEqual([
    expect.objectContaining({ code: 'SYSCTL_OVERRIDDEN', evidence: expect.stringMatching(evidence) as string }),
  ]);
});

test.each([
  ['a file that ours wins over', ['set /etc/sysctl.d/99-hardening.conf 1 net.ipv4.ip_forward 0']],
  ['the value that we want', ['set /etc/sysctl.conf 1 net.ipv4.ip_forward 1']],
  ['no filtering at all', ['set /etc/sysctl.conf 1 net.ipv4.conf.all.rp_filter 0']],
  ['a greater limit', ['set /etc/sysctl.conf 1 fs.inotify.max_user_watches 1048576']],
  ["the distribution's own patterns", ['set /usr/lib/sysctl.d/50-default.conf 1 net.ipv4.conf.*.rp_filter 1']],
  ['our own file', ['set /etc/sysctl.d/zz-kubewright.conf 1 net.ipv4.ip_forward 0']],
  [
    'a file masked by /etc',
    ['masked /etc/sysctl.d/zzz.conf', 'set /usr/lib/sysctl.d/zzz.conf 1 net.ipv4.ip_forward 0'],
  ],
])('%s is no problem', (_what, rows) => expect(sysctls(rows)).toEqual([]));

test("ufw's settings count while it is on, and those of the kernel are not a container's", () => {
  const row = 'set /etc/ufw/sysctl.conf 14 net.ipv4.conf.all.rp_filter 1';
  expect(sysctls(['ufw /etc/ufw/sysctl.conf', row])[0]?.evidence).toContain('ufw applies it');
  const panic = 'set /etc/sysctl.conf 1 kernel.panic 0';
  expect(sysctls([panic])).toHaveLength(1);
  expect(sysctls([panic], { facts: { virtualization: 'lxc' } })).toEqual([]);
});

test('a setting that the spec overrides is no problem', () => {
  const row = 'set /etc/sysctl.conf 1 net.ipv4.conf.all.rp_filter 1';
  const phases = { prepare: { sysctls: { 'net.ipv4.conf.all.rp_filter': '1' } } };
  expect(sysctls([row], { phases })).toEqual([]);
});

test('modules that are kept from loading are named with file and line', () => {
  const rows = [
    ['file', '/etc/modprobe.d/cis.conf', '4', 'install overlay /bin/true'],
    ['cmdline', 'module_blacklist=br_netfilter'],
    ['disabled', 'vxlan'],
  ];
  expect(moduleFiles.evaluate(input(), rows)).toEqual([
    expect.objectContaining({ evidence: '/etc/modprobe.d/cis.conf, line 4: install overlay /bin/true' }),
    expect.objectContaining({ evidence: '/proc/cmdline: module_blacklist=br_netfilter' }),
    expect.objectContaining({ evidence: expect.stringContaining('vxlan') as string }),
  ]);
  expect(moduleFiles.probe?.args(input({ phases: { flannel: { backend: 'udp' } } }))).toContain('tun');
});
