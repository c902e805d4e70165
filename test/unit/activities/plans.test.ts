import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { definePhase, type Phase } from '../../../activities/phases/phase.ts';
import type { OperationInput } from '../../../contracts/operation.ts';
import { sampleCluster } from '../../golden/golden.ts';
import { makePlan } from '../../support/plans.ts';
import { everyHost } from '../../support/temporal-plan.ts';

const input: OperationInput = {
  kind: 'build',
  specRef: 'a'.repeat(64),
  mode: 'apply',
  actor: { name: 'admin', role: 'admin' },
  requestId: 'request',
  cluster: 'sample',
  operationId: 'operation',
};

const phase = (name: string, more: Partial<Phase> = {}): Phase =>
  definePhase({
    name,
    title: name,
    hosts: 'all',
    needs: [],
    timeouts: { applyMs: 1000, verifyMs: 500 },
    expectedMs: 100,
    options: z.strictObject({ on: z.boolean().default(true) }),
    ...more,
  });

describe('the build plan', () => {
  it('places phases by role, in the order of the spec', () => {
    const plan = makePlan(input, sampleCluster(), [
      phase('everywhere'),
      phase('members', { hosts: 'etcd', rollout: 'one-by-one' }),
      phase('cluster-wide', { hosts: 'one-control-plane' }),
      phase('here', { hosts: 'controller' }),
      phase('balancers', { hosts: 'load-balancer' }),
    ]);
    expect(plan.phases.map(({ name, hosts, maxParallel }) => ({ name, hosts, maxParallel }))).toEqual([
      { name: 'everywhere', hosts: ['cp-1', 'worker-1', 'worker-2'], maxParallel: 3 },
      { name: 'members', hosts: ['cp-1', 'worker-1', 'worker-2'], maxParallel: 1 },
      { name: 'cluster-wide', hosts: ['cp-1'], maxParallel: 1 },
      { name: 'here', hosts: ['cluster'], maxParallel: 1 },
    ]);
    expect(plan.phases[0]?.startToCloseMs).toBe(1500);
  });

  it('leaves out what options switch off, and what was not asked for', () => {
    const phases = [phase('a', { enabled: (_, options) => (options as { on: boolean }).on }), phase('b')];
    const cluster = sampleCluster({ phases: { a: { on: false } } });
    expect(makePlan(input, cluster, phases).phases.map(({ name }) => name)).toEqual(['b']);
    const only = makePlan({ ...input, phases: ['a'], hosts: ['worker-2'] }, sampleCluster(), phases);
    expect(only.phases.map(({ name, hosts }) => ({ name, hosts }))).toEqual([{ name: 'a', hosts: ['worker-2'] }]);
  });

  it('refuses phases that exclude each other', () => {
    const phases = [phase('flannel', { conflicts: ['calico'] }), phase('calico')];
    expect(() => makePlan(input, sampleCluster(), phases)).toThrow(/flannel and calico exclude each other/);
  });

  it('is the same for the same input, and stays small at 1,000 hosts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (count) => {
        const hosts = Array.from({ length: count }, (_, index) => ({
          name: `h-${index}`,
          address: `10.20.${Math.floor(index / 250)}.${(index % 250) + 1}`,
          roles: index === 0 ? ['control-plane', 'etcd'] : ['worker'],
        }));
        const cluster = sampleCluster({ hosts, network: { podCidr: '10.128.0.0/10' } });
        const phases = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => phase(name));
        const text = JSON.stringify(makePlan(input, cluster, phases));
        expect(JSON.stringify(makePlan(input, cluster, phases))).toBe(text);
        expect(text.length).toBeLessThan(512 * 1024);
      }),
      { numRuns: 10 },
    );
  });
});

describe('plans with hosts in quarantine', () => {
  const quarantine = [
    { host: 'worker-2', since: 't', by: 'ann', why: 'dead', phase: 'prepare', operationId: 'earlier' },
    { host: 'gone-from-spec', since: 't', by: 'ann', why: 'dead', phase: 'prepare', operationId: 'earlier' },
  ];
  const phases = [
    phase('everywhere'),
    phase('objects', { hosts: 'one-control-plane' }),
    phase('per-node', { hosts: 'one-control-plane', actsPerNode: true }),
    phase('here', { hosts: 'controller' }),
  ];
  const hostsOf = (more: Partial<OperationInput>) => {
    const plan = makePlan({ ...input, quarantine, ...more }, sampleCluster(), phases);
    return { plan, hosts: Object.fromEntries(plan.phases.map((each) => [each.name, each.hosts])) };
  };

  it('a build leaves them out, unless they are asked for', () => {
    const { plan, hosts } = hostsOf({});
    expect(hosts.everywhere).toEqual(['cp-1', 'worker-1']);
    expect(plan.quarantined).toEqual(['worker-2']);
    const named = hostsOf({ hosts: ['worker-2'] });
    expect(named.hosts.everywhere).toEqual(['worker-2']);
    expect(named.plan.quarantined).toEqual([]);
  });

  it('a heal plans only its hosts, and of the cluster-wide phases only those that act per node', () => {
    const { plan, hosts } = hostsOf({ kind: 'heal' });
    expect(hosts).toEqual({ everywhere: ['worker-2'], 'per-node': ['cp-1'], here: ['cluster'] });
    expect(plan.focus).toEqual(['worker-2']);
    expect(plan.quarantined).toEqual([]);
    expect(plan.phases.find(({ name }) => name === 'per-node')?.clusterWide).toBe(true);
  });

  it('a heal with a new machine runs the phases that allow peers by their addresses', () => {
    const admitting = [phase('everywhere'), phase('time', { allowlistsPeers: 'time-server' })];
    const heal: OperationInput = { ...input, kind: 'heal', quarantine };
    const timeHosts = (more: Partial<OperationInput>) =>
      makePlan({ ...heal, ...more }, sampleCluster(), admitting).phases.map(({ hosts }) => hosts);
    expect(timeHosts({})).toEqual([['worker-2'], ['worker-2']]);
    expect(timeHosts({ replaced: ['worker-2'] })).toEqual([['worker-2'], ['cp-1', 'worker-2']]);
  });

  it('a heal refuses hosts that are in', () => {
    expect(() => hostsOf({ kind: 'heal', hosts: ['worker-1'] })).toThrow(/worker-1 .* not in quarantine/);
    expect(() => hostsOf({ kind: 'heal', quarantine: [] })).toThrow(/no host .* in quarantine/);
  });
});

describe('windows of a build', () => {
  const names = Array.from({ length: 25 }, (_, index) => `w-${index + 1}`);
  const hosts = ['cp-1', ...names].map((name, index) => ({
    name,
    address: `10.0.1.${index + 1}`,
    roles: name === 'cp-1' ? ['control-plane', 'etcd'] : ['worker'],
  }));
  const phases = [
    phase('members', { hosts: 'etcd', disrupts: 'etcd' }),
    phase('servers', { hosts: 'control-plane', disrupts: 'control-plane' }),
    phase('kubelets', { hosts: 'worker', disrupts: 'node' }),
    phase('quiet', { hosts: 'worker' }),
  ];
  const clientsLast = [everyHost('members'), everyHost('servers')];
  const windows = (policy: object, served = ['cp-1', ...names]) =>
    makePlan(input, sampleCluster({ hosts, policy }), phases, { served }).windows;

  it.each([
    [{}, 2],
    [{ maxUnavailableNodes: '20%' }, 5],
    [{ maxUnavailableNodes: '0%' }, 1],
    [{ maxUnavailableNodes: 7 }, 7],
  ])('policy %o: %i nodes at once, and always one member and one server', (policy, nodes) => {
    expect(windows(policy)).toEqual([
      { what: 'etcd', phases: ['members'], hosts: ['cp-1'], atMost: 1 },
      { what: 'control-plane', phases: ['servers'], hosts: ['cp-1'], atMost: 1, after: [everyHost('members')] },
      { what: 'node', phases: ['kubelets'], hosts: names, atMost: nodes, after: clientsLast },
    ]);
  });

  it('hosts that are new are in no window, and the share is one of those that serve', () => {
    expect(windows({}, names.slice(0, 10))).toEqual([
      { what: 'node', phases: ['kubelets'], hosts: names.slice(0, 10), atMost: 1, after: clientsLast },
    ]);
    expect(windows({}, [])).toBeUndefined();
  });

  it.each([0, -1, 1.5, 'half', '101%', '5'])('maxUnavailableNodes %o is refused', (maxUnavailableNodes) => {
    expect(() => sampleCluster({ policy: { maxUnavailableNodes } })).toThrow(/maxUnavailableNodes/);
  });
});

describe('several control planes', () => {
  const cluster = sampleCluster({
    hosts: ['cp-1', 'cp-2', 'cp-3', 'w-1'].map((name, index) => ({
      name,
      address: `10.0.0.${index + 1}`,
      roles: name === 'w-1' ? ['worker', 'registry', 'time-server'] : ['control-plane', 'etcd'],
    })),
  });
  const phases = [
    phase('everywhere', { dependsOnAddressesOf: ['control-plane'] }),
    phase('members', { hosts: 'etcd' }),
    phase('objects', { hosts: 'one-control-plane' }),
    phase('per-node', { hosts: 'one-control-plane', actsPerNode: true }),
  ];
  const out = (...hosts: string[]) => ({
    quarantine: hosts.map((host) => ({ host, since: 't', by: 'a', why: 'w', phase: 'p', operationId: 'o' })),
  });
  const hostsOf = (more: Partial<OperationInput>) => {
    const plan = makePlan({ ...input, ...more }, cluster, phases);
    return Object.fromEntries(plan.phases.map(({ name, hosts, standIns }) => [name, [hosts, standIns]]));
  };

  it('stand in for the first one that is in', () => {
    expect(hostsOf({}).objects).toEqual([['cp-1'], ['cp-2', 'cp-3']]);
    expect(hostsOf(out('cp-1')).objects).toEqual([['cp-2'], ['cp-3']]);
    expect(hostsOf(out('cp-2')).objects).toEqual([['cp-1'], ['cp-3']]);
  });

  it('run every cluster-wide phase again when the first control plane is healed, and update its address on all hosts', () => {
    const heal = { ...out('cp-1'), kind: 'heal' as const };
    expect(hostsOf({ ...heal, replaced: ['cp-1'] })).toEqual({
      everywhere: [['cp-1', 'cp-2', 'cp-3', 'w-1'], undefined],
      members: [['cp-1'], undefined],
      objects: [['cp-1'], ['cp-2', 'cp-3']],
      'per-node': [['cp-1'], ['cp-2', 'cp-3']],
    });
    expect(hostsOf(heal).everywhere).toEqual([['cp-1'], undefined]);
    expect(hostsOf({ ...out('cp-2'), kind: 'heal' }).objects).toBeUndefined();
  });

  it('have the node of a leaving one removed by another', () => {
    const remove = [phase('remove-node', { hosts: 'one-control-plane', onDemand: true })];
    const { spec } = cluster;
    const others = spec.hosts.map((host) => ({ ...host, roles: host.roles.filter((role) => role !== 'etcd') }));
    const without = { ...cluster, spec: { ...spec, hosts: others } };
    const plan = makePlan({ ...input, kind: 'teardown', hosts: ['cp-1'], ...out('cp-2') }, without, remove);
    expect(plan.phases.map(({ hosts }) => hosts)).toEqual([['cp-3']]);
  });
});

describe('what quarantine must leave', () => {
  const cluster = (policy?: object) =>
    sampleCluster({
      hosts: [
        { name: 'cp-1', address: '10.0.0.1', roles: ['control-plane', 'etcd', 'registry', 'time-server'] },
        { name: 'cp-2', address: '10.0.0.2', roles: ['control-plane', 'etcd'] },
        { name: 'cp-3', address: '10.0.0.3', roles: ['control-plane', 'etcd'] },
        { name: 'w-1', address: '10.0.0.4', roles: ['worker'] },
      ],
      ...(policy ? { policy } : {}),
    });
  const everywhere = [phase('everywhere')];

  it('comes with the plan: majority, control planes, registry, time', () => {
    expect(makePlan(input, cluster(), everywhere).quorum).toEqual([
      { what: 'etcd members', hosts: ['cp-1', 'cp-2', 'cp-3'], least: 2 },
      { what: 'control planes', hosts: ['cp-1', 'cp-2', 'cp-3'], least: 1 },
      { what: 'registry hosts', hosts: ['cp-1'], least: 1 },
      { what: 'time servers', hosts: ['cp-1'], least: 1 },
    ]);
  });

  it('holds for a build on a spec that changed since', () => {
    const out = (...hosts: string[]) => ({
      quarantine: hosts.map((host) => ({ host, since: 't', by: 'a', why: 'w', phase: 'p', operationId: 'o' })),
    });
    expect(makePlan({ ...input, ...out('cp-2') }, cluster(), everywhere).quarantined).toEqual(['cp-2']);
    expect(() => makePlan({ ...input, ...out('cp-2', 'cp-3') }, cluster(), everywhere)).toThrow(/1 of 3 etcd members/);
  });

  it.each([
    [undefined, { onHostFailure: 'wait', maxQuarantined: 1 }],
    [
      { onHostFailure: 'quarantine', maxQuarantined: '50%' },
      { onHostFailure: 'quarantine', maxQuarantined: 2 },
    ],
    [{ maxQuarantined: 3 }, { onHostFailure: 'wait', maxQuarantined: 3 }],
    [{ maxQuarantined: '0%' }, { onHostFailure: 'wait', maxQuarantined: 0 }],
  ])('policy %o is %o in the plan', (policy, planned) => {
    expect(makePlan(input, cluster(policy), everywhere).policy).toEqual(planned);
  });
});
