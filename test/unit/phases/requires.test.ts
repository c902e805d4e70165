import { expect, test } from 'vitest';
import type { Phase } from '../../../activities/phases/phase.ts';
import { loadPhases, scanPhases, sortPhases } from '../../../activities/phases/phase-loader.ts';
import { optionShapes, scanChecks } from '../../../activities/phases/preflight/checks.ts';
import prepare from '../../../activities/phases/prepare/phase.ts';
import { conflictsIn, requiredPorts, requiredSysctls } from '../../../activities/phases/required.ts';
import { type PhaseRequirements, requirementsOn } from '../../../activities/phases/requires.ts';
import type { Resource } from '../../../activities/resources/resource.ts';
import { phaseValidator } from '../../../api/validate-phases.ts';
import { type Sample, sampleCluster, sampleContext, sampleFacts } from '../../golden/golden.ts';
import { makePlan } from '../../support/plans.ts';

/** A pod network and a runtime from a folder of the tests: every phase reads what they require, no file of ours knows them. */

const ours = await loadPhases();
const toys = await scanPhases(new URL('../../fixtures/toy-phases/', import.meta.url));
const phases = sortPhases([...ours, ...toys]);
const checks = await scanChecks();
const off = { flannel: { enabled: false }, runtime: { enabled: false } };
const chosen = (toynet: object = {}, toyrun: object = {}) => ({ ...off, toynet, toyrun }) as Sample['phases'];

async function prepared(sample: Sample, among: readonly Phase[] = phases): Promise<Map<string, Resource>> {
  const context = await sampleContext(prepare, sample);
  const byName = new Map(among.map((phase) => [phase.name, phase]));
  const resources = (await prepare.resources?.({ ...context, phases: byName })) ?? [];
  return new Map(resources.map((resource) => [resource.kind, resource]));
}

function preflight(name: string, rows: readonly (readonly string[])[], sample: Sample = { phases: chosen() }) {
  const cluster = sampleCluster(sample);
  const host = cluster.spec.hosts[0]!;
  const check = checks.find((each) => each.name === name)!;
  const of = { cluster, host, requirements: requirementsOn(cluster, host, phases), options: optionShapes([check]) };
  const input = { ...of, facts: sampleFacts, duplicateHost: null, askedAtMs: 0, answeredAtMs: 0 };
  return { args: check.probe?.args(of as never) ?? null, problems: check.evaluate(input as never, rows) };
}

test('they are planned in the place of ours', () => {
  const cluster = sampleCluster({ phases: chosen() });
  expect(phaseValidator(phases)(cluster)).toEqual([]);
  const input = { cluster: 'sample', operationId: 'op', kind: 'build', mode: 'apply', specRef: '0'.repeat(64) };
  const plan = makePlan(
    { ...input, requestId: 'r', actor: { name: 'ann', role: 'operator' } } as never,
    cluster,
    phases,
  );
  const names = plan.phases.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['toynet', 'toyrun']));
  expect(names).not.toContain('flannel');
  expect(names).not.toContain('runtime');
});

test('prepare installs, loads and sets what they require, and opens their ports', async () => {
  const with_ = await prepared({ phases: chosen() });
  expect(with_.get('packages')).toMatchObject({ apt: expect.arrayContaining(['hello', 'tree']) });
  // Of ours, those of nodes stay; the bridge was flannel's.
  expect(with_.get('kernel-modules')).toMatchObject({ names: ['nf_conntrack', 'overlay'] });
  const values = Object.fromEntries((with_.get('sysctls') as unknown as { values: [string, string][] }).values);
  expect(values).toMatchObject({
    'net.ipv4.conf.default.arp_filter': '1',
    'net.ipv4.conf.default.arp_announce': '1',
    'net.ipv4.ip_forward': '1',
  });
  expect(values).not.toHaveProperty('net.bridge.bridge-nf-call-iptables');
  const { rules } = with_.get('ufw-rules') as unknown as { rules: { rule: string; comment: string }[] };
  const text = rules.map(({ rule, comment }) => `${rule} # ${comment}`).join('\n');
  expect(text).toMatch(/allow from 10\.20\.0\.12 to any port 2379,2380,4790,5000,6443,10250 proto tcp # .*toynetd/);
  expect(text).toMatch(/allow from 10\.20\.0\.12 to any port 123,4790 proto udp # .*toynetd/);
  expect(text).toContain('route allow from 10.20.0.12 to 10.244.0.0/16');
  expect(text).not.toMatch(/4791|8472|flannel/);

  const without = await prepared({});
  expect(JSON.stringify([...without.values()])).not.toMatch(/toynet|toyrun|4790|arp_filter|"tree"|"hello"/);
});

test('preflight asks for their features, modules, settings, controllers and ports, and refuses a host without', () => {
  const features = preflight('kernel-features', [['overlay', 'loaded']]);
  expect(features.args).toContain('overlay,-,-,-');
  expect(features.problems).toContainEqual(
    expect.objectContaining({
      code: 'KERNEL_FEATURE_MISSING',
      message: 'the kernel has no nf_conntrack, wanted for: services, toy tunnels',
    }),
  );
  const absent = preflight('kernel-features', [], { phases: chosen({ feature: 'toy_absent' }) });
  expect(absent.problems.map(({ message }) => message)).toContain(
    'the kernel has no toy_absent, wanted for: toy tunnels',
  );

  const blocked = preflight('module-files', [['file', '/etc/modprobe.d/x.conf', '1', 'blacklist toy_tunnel']]);
  expect(blocked.args).toEqual(expect.arrayContaining(['toy_tunnel', 'overlay', 'nf_conntrack']));
  expect(blocked.args).not.toContain('vxlan');
  expect(blocked.problems).toMatchObject([{ code: 'KERNEL_MODULE_BLOCKED' }]);

  const set = preflight('sysctl-files', [
    ['set', '/etc/sysctl.d/zzz.conf', '1', 'net.ipv4.conf.default.arp_filter', '0'],
  ]);
  expect(set.problems).toMatchObject([{ code: 'SYSCTL_OVERRIDDEN' }]);

  const huge = { phases: chosen({}, { controllers: ['hugetlb'] }) };
  expect(preflight('cgroups', [['cpu cpuset memory pids']], huge).problems).toMatchObject([
    { code: 'CGROUPS_UNUSABLE', message: 'cgroup controllers are off: hugetlb' },
  ]);

  const ports = preflight('ports', [
    ['4790', '*:4790', '7', 'nginx', '/usr/sbin/nginx'],
    ['4791', '*:4791', '8', 'toyrund', '/usr/bin/toyrund'],
  ]);
  expect(ports.args?.[0]?.split(' ')).toEqual(expect.arrayContaining(['4790', '4791']));
  expect(ports.problems).toEqual([
    expect.objectContaining({ code: 'PORT_IN_USE', message: 'port 4790 is taken by nginx (pid 7)' }),
  ]);

  const firewall = preflight('firewall', [['iptables', ':INPUT DROP [0:0]']]);
  expect(firewall.args?.[1]).toBe('kube-proxy toynet-*');
  expect(firewall.problems).toMatchObject([{ evidence: expect.stringContaining('4790/tcp (toynetd)') }]);
  // flannel's rules would have come before the policy.
  const forwards = [['iptables', ':INPUT ACCEPT [0:0]'] as const, ['iptables', ':FORWARD DROP [0:0]'] as const];
  expect(preflight('firewall', forwards).problems).toMatchObject([{ code: 'FIREWALL_BLOCKS' }]);
  expect(preflight('firewall', forwards, {}).problems).toEqual([]);
});

test('a spec whose phases contradict each other is refused, both named', () => {
  const validate = phaseValidator(phases);
  const port = validate(sampleCluster({ phases: chosen({ port: 4791 }) }));
  expect(port).toEqual([
    {
      path: 'spec.hosts[0]',
      message: expect.stringMatching(
        /^the port 4791\/tcp .*toyrund of the phase toyrun and toynetd of the phase toynet$/,
      ),
    },
    // The other nodes are alike.
    { path: 'spec.hosts[1]', message: expect.stringContaining('4791/tcp') },
  ]);
  const sysctl = validate(sampleCluster({ phases: chosen({ arpFilter: '0' }, { arpFilter: '1' }) }));
  expect(sysctl[0]).toEqual({
    path: 'spec.hosts[0]',
    message:
      'the kernel setting net.ipv4.conf.default.arp_filter cannot be right for all phases: toyrun requires 1, toynet requires 0',
  });
  expect(validate(sampleCluster({ phases: { flannel: { vxlanPort: 123 } } }))).toEqual([
    { path: 'spec.hosts[0]', message: expect.stringMatching(/123\/udp.*chronyd of the phase chrony.*flannel/) },
  ]);
});

const requirement = (phase: string, rest: Omit<PhaseRequirements, 'phase'>): PhaseRequirements => ({ phase, ...rest });

test.each([
  ['the greater of two lower bounds', { value: '1', atLeast: true }, { value: '5', atLeast: true }, '5'],
  ['a value above a lower bound', { value: '5' }, { value: '1', atLeast: true }, '5'],
  ['what one of them takes as well', { value: '2', alsoGood: ['0'] }, { value: '0' }, '0'],
] as const)('of two values of a setting, %s does for both', (_what, one, other, value) => {
  const both = [requirement('a', { sysctls: { key: one } }), requirement('b', { sysctls: { key: other } })];
  expect(conflictsIn(both)).toEqual([]);
  expect(requiredSysctls(both, { container: false }).get('key')?.value).toBe(value);
  expect(requiredSysctls(both.toReversed(), { container: false }).get('key')?.value).toBe(value);
});

test('a task stops where phases contradict each other all the same', () => {
  const sysctls = [
    requirement('a', { sysctls: { key: { value: '1' } } }),
    requirement('b', { sysctls: { key: { value: '2' } } }),
  ];
  expect(() => requiredSysctls(sysctls, { container: false })).toThrow(/key .*a requires 1, b requires 2/);
  const at = { protocol: 'tcp', port: 1, from: [], on: 'all' } as const;
  const ports = [
    requirement('a', { ports: [{ ...at, what: 'one', holder: '/one' }] }),
    requirement('b', { ports: [{ ...at, what: 'two', holder: '/two' }] }),
  ];
  expect(() => requiredPorts(ports)).toThrow(/1\/tcp .*one of the phase a and two of the phase b/);
  expect(requiredPorts([ports[0]!, { ...ports[0]!, phase: 'c' }])).toHaveLength(1);
});
