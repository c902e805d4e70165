import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { refusedRemovals } from '../../../activities/operations/removals.ts';
import { controlPlaneEndpoint } from '../../../activities/phases/capabilities/control-plane-endpoint.ts';
import { kubernetesStore } from '../../../activities/phases/capabilities/kubernetes-store.ts';
import { definePhase, type Phase } from '../../../activities/phases/phase.ts';
import { type ClusterSpec, clusterSpec } from '../../../contracts/cluster.ts';
import type { OperationInput } from '../../../contracts/operation.ts';
import type { Plan } from '../../../contracts/plan.ts';
import { makePlan } from '../../support/plans.ts';

const phase = (name: string, more: Partial<Phase>): Phase =>
  definePhase({
    name,
    title: name,
    hosts: 'all',
    needs: [],
    timeouts: { applyMs: 1000, verifyMs: 500 },
    expectedMs: 100,
    options: z.strictObject({}),
    ...more,
  });
const offer = controlPlaneEndpoint.offer(({ cluster }) => ({
  host: cluster.spec.controlPlane?.endpoint?.host ?? '10.0.0.1',
  port: 8443,
  forClients: true,
  certificateNames: [],
  drainSeconds: 0,
}));
const named = controlPlaneEndpoint.offer(({ cluster }) => {
  const planes = cluster.spec.hosts.filter(({ roles }) => roles.includes('control-plane'));
  const host = planes.length > 1 ? 'api.internal' : planes[0]!.address;
  return { host, port: 6443, forClients: false, certificateNames: [], drainSeconds: 0 };
});
const store = kubernetesStore.offer(({ cluster }) => ({
  servers: cluster.spec.hosts.filter(({ roles }) => roles.includes('etcd')).map(({ name }) => `https://${name}:2379`),
  ...{ prefix: '/registry', unit: null, clientCertificate: null },
}));

/** Phases that write down hosts as ours do, without their content. */
const phases: Phase[] = [
  phase('base', { dependsOnAddressesOf: ['control-plane', 'etcd', 'load-balancer'] }),
  phase('etcd', { hosts: 'etcd', disrupts: 'etcd', offers: [store] }),
  phase('servers', {
    hosts: 'control-plane',
    needs: [
      { phase: 'base', on: 'same-host' },
      { phase: 'kubernetes-store', on: 'quorum' },
    ],
    disrupts: 'control-plane',
  }),
  phase('load-balancer', {
    hosts: 'load-balancer',
    needs: [{ phase: 'base', on: 'same-host' }],
    offers: [offer],
    disrupts: 'load-balancer',
    joinsLast: true,
    dependsOnAddressesOf: ['control-plane', 'load-balancer'],
    hooks: { handOver: () => Promise.resolve([]) },
  }),
  phase('host-names', { offers: [named], disrupts: 'endpoint', dependsOnAddressesOf: ['control-plane'] }),
  phase('kubelets', {
    hosts: 'nodes',
    needs: [{ phase: 'control-plane-endpoint', on: 'any-host' }],
    disrupts: 'node',
  }),
  phase('time', { allowlistsPeers: 'time-server' }),
  phase('tidy', { closing: true }),
  phase('hand-over', { onDemand: true }),
  phase('remove-node', { hosts: 'one-control-plane', onDemand: true }),
  phase('teardown', { onDemand: true, needs: [{ phase: 'remove-node', on: 'every-host' }] }),
  phase('forget', { hosts: 'controller', onDemand: true, needs: [{ phase: 'teardown', on: 'every-host' }] }),
];

const ROLES: Record<string, string[]> = {
  'cp-1': ['control-plane', 'etcd'],
  'cp-2': ['control-plane'],
  'cp-3': ['control-plane'],
  'lb-1': ['load-balancer'],
  'lb-2': ['load-balancer'],
  'w-1': ['worker', 'time-server'],
  'w-2': ['worker'],
};
const clusterOf = (roles = ROLES, endpoint: object = { host: '10.0.0.100' }): ClusterSpec =>
  clusterSpec.parse({
    apiVersion: 'kubewright.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'sample' },
    spec: {
      hosts: Object.entries(roles).map(([name, of], index) => ({ name, address: `10.0.0.${index + 1}`, roles: of })),
      ssh: { credential: { keyFile: '/root/key' } },
      controlPlane: { endpoint },
    },
  });
const cluster = clusterOf();
const all = (of: ClusterSpec) => of.spec.hosts.map(({ name }) => name);

const input = (more: Partial<OperationInput>): OperationInput => ({
  kind: 'build',
  specRef: 'a'.repeat(64),
  mode: 'apply',
  actor: { name: 'admin', role: 'admin' },
  requestId: 'request',
  cluster: 'sample',
  operationId: 'operation',
  ...more,
});
const out = (...hosts: string[]) => ({
  quarantine: hosts.map((host) => ({ host, since: 't', by: 'a', why: 'w', phase: 'p', operationId: 'o' })),
});
const remove = (host: string, of = cluster, more: Partial<OperationInput> = {}) =>
  makePlan(input({ kind: 'teardown', hosts: [host], ...more }), of, phases, { served: all(of), before: of });
const shape = (plan: Plan) => Object.fromEntries(plan.phases.map(({ name, hosts }) => [name, hosts.join(' ')]));
const needsOf = (plan: Plan, name: string) => plan.phases.find((each) => each.name === name)!.needs;
const everyHost = (name: string) => ({ phase: name, on: 'every-host' });
const windowOf = (plan: Plan, what: string) => plan.windows?.find((window) => window.what === what);

describe('a control plane that leaves', () => {
  it('is forgotten by every host that wrote it down, with the spec without it, before it is torn down', () => {
    const plan = remove('cp-3');
    expect(shape(plan)).toEqual({
      base: 'cp-1 cp-2 lb-1 lb-2 w-1 w-2',
      'load-balancer': 'lb-1 lb-2',
      time: 'w-1',
      'remove-node': 'cp-1',
      teardown: 'cp-3',
      forget: 'cluster',
    });
    for (const { name, without } of plan.phases) {
      expect([name, without]).toEqual([name, ['base', 'load-balancer', 'time'].includes(name) ? ['cp-3'] : undefined]);
    }
    expect(needsOf(plan, 'teardown')).toEqual(['remove-node', 'base', 'load-balancer', 'time'].map(everyHost));
    expect(needsOf(plan, 'load-balancer')).toEqual([{ phase: 'base', on: 'same-host' }]);
  });

  it('and the balancers change one at a time', () => {
    expect(remove('cp-3').windows).toEqual([
      { what: 'load-balancer', phases: ['load-balancer'], hosts: ['lb-1', 'lb-2'], atMost: 1 },
    ]);
    expect(remove('cp-3', cluster, { mode: 'check' }).windows).toBeUndefined();
  });

  it('is no business of hosts in quarantine, and quarantine must leave what is left', () => {
    const plan = remove('cp-3', cluster, out('lb-1', 'cp-3'));
    expect(shape(plan)['load-balancer']).toBe('lb-2');
    expect(plan.quarantined).toEqual(['lb-1']);
    expect(plan.quorum).toEqual([
      { what: 'etcd members', hosts: ['cp-1'], least: 1 },
      { what: 'control planes', hosts: ['cp-1', 'cp-2'], least: 1 },
      { what: 'load balancers', hosts: ['lb-1', 'lb-2'], least: 1 },
      { what: 'time servers', hosts: ['w-1'], least: 1 },
    ]);
  });

  it('leaves the servers as they are, unless it is a member of etcd, which they list by name', () => {
    const members = clusterOf({ ...ROLES, 'cp-2': ['control-plane', 'etcd'], 'cp-3': ['control-plane', 'etcd'] });
    const plan = remove('cp-3', members);
    expect(shape(plan).servers).toBe('cp-1 cp-2');
    expect(windowOf(plan, 'control-plane')).toMatchObject({ hosts: ['cp-1', 'cp-2'], atMost: 1 });
    expect(windowOf(plan, 'load-balancer')?.after).toEqual([everyHost('servers')]);
  });

  it('moves the nodes before it stops, where the way to the API servers is another one without it', () => {
    const { 'lb-1': _one, 'lb-2': _two, ...three } = ROLES;
    const names = clusterOf(three, {});
    expect(shape(remove('cp-3', names))).toMatchObject({ 'host-names': 'cp-1 cp-2 w-1 w-2' });
    expect(shape(remove('cp-3', names)).kubelets).toBeUndefined();
    const { 'cp-3': _last, ...two } = three;
    const plan = remove('cp-2', clusterOf(two, {}));
    expect(shape(plan).kubelets).toBe('cp-1 w-1 w-2');
    expect(needsOf(plan, 'teardown')).toContainEqual(everyHost('kubelets'));
  });
});

describe('a balancer that leaves', () => {
  it('hands over first, then its peers forget it, then it is torn down', () => {
    const plan = remove('lb-1');
    expect(shape(plan)).toMatchObject({ 'hand-over': 'lb-1', 'load-balancer': 'lb-2', teardown: 'lb-1' });
    expect(plan.phases[0]!.name).toBe('hand-over');
    expect(plan.phases.find(({ name }) => name === 'hand-over')!.without).toBeUndefined();
    for (const { name, needs } of plan.phases) {
      if (name !== 'hand-over') expect([name, needs]).toEqual([name, expect.arrayContaining([everyHost('hand-over')])]);
    }
  });

  it('a worker hands over nothing, and no other host has a task', () => {
    expect(shape(remove('w-2'))).toEqual({ 'remove-node': 'cp-1', teardown: 'w-2', forget: 'cluster' });
  });
});

describe('a host that joins', () => {
  const more = clusterOf({ ...ROLES, 'cp-4': ['control-plane'], 'lb-3': ['load-balancer'] });
  const plan = makePlan(input({}), more, phases, { served: all(cluster), before: cluster });

  it('a control plane serves before the balancers know it', () => {
    expect(windowOf(plan, 'load-balancer')?.after).toEqual([everyHost('etcd'), everyHost('servers')]);
    expect(plan.phases.find(({ name }) => name === 'servers')!.hosts).toContain('cp-4');
  });

  it('a balancer begins when those that serve know it', () => {
    expect(windowOf(plan, 'load-balancer')).toMatchObject({ hosts: ['lb-1', 'lb-2'], joining: ['lb-3'] });
    expect(plan.windows!.filter(({ joining }) => joining).map(({ what }) => what)).toEqual(['load-balancer']);
  });

  it('a cluster that is founded has no window', () => {
    expect(makePlan(input({}), more, phases).windows).toBeUndefined();
  });

  it('names of API servers change when the servers are done, and nodes after them', () => {
    const { 'lb-1': _one, 'lb-2': _two, ...three } = ROLES;
    const names = clusterOf({ ...three, 'cp-4': ['control-plane'] }, {});
    const build = makePlan(input({}), names, phases, { served: all(cluster), before: null });
    expect(windowOf(build, 'endpoint')).toEqual({
      ...{ what: 'endpoint', phases: ['host-names'], hosts: ['cp-1', 'cp-2', 'cp-3', 'w-1', 'w-2'], atMost: 5 },
      after: [everyHost('etcd'), everyHost('servers')],
    });
    expect(windowOf(build, 'node')?.after).toContainEqual(everyHost('host-names'));
  });
});

describe('another machine in the place of one', () => {
  const heal = (host: string) =>
    makePlan(input({ kind: 'heal', replaced: [host], ...out(host) }), cluster, phases, { served: all(cluster) });

  it('of a control plane is known to the balancers when it serves', () => {
    const plan = heal('cp-2');
    expect(shape(plan)).toMatchObject({ 'load-balancer': 'lb-1 lb-2', servers: 'cp-2' });
    expect(windowOf(plan, 'load-balancer')).toEqual({
      ...{ what: 'load-balancer', phases: ['load-balancer'], hosts: ['lb-1', 'lb-2'], atMost: 1 },
      after: [everyHost('servers')],
    });
  });

  it('of a balancer begins when its peer knows it', () => {
    const plan = heal('lb-1');
    expect(shape(plan)).toMatchObject({ 'load-balancer': 'lb-1 lb-2', base: 'cp-1 cp-2 cp-3 lb-1 lb-2 w-1 w-2' });
    expect(windowOf(plan, 'load-balancer')).toMatchObject({ hosts: ['lb-2'], joining: ['lb-1'] });
  });

  it('the same machine comes back without a word to the others', () => {
    const plan = makePlan(input({ kind: 'heal', ...out('lb-1') }), cluster, phases, { served: all(cluster) });
    expect(shape(plan)).toEqual({ base: 'lb-1', 'load-balancer': 'lb-1', time: 'lb-1', tidy: 'lb-1' });
    expect(plan.windows).toBeUndefined();
  });
});

describe('balancers in the quorum', () => {
  const groups = (of: ClusterSpec) => makePlan(input({}), of, phases).quorum.map(({ what }) => what);

  it('bind where they provide the endpoint, and a role in name only does not', () => {
    expect(groups(cluster)).toContain('load balancers');
    expect(groups(clusterOf(ROLES, {}))).not.toContain('load balancers');
  });

  it('the last one cannot be out', () => {
    expect(() => makePlan(input(out('lb-1', 'lb-2')), cluster, phases)).toThrow(
      /0 of 2 load balancers would be left without lb-1, lb-2; at least 1 must be/,
    );
  });
});

describe('a changed spec', () => {
  const without = clusterOf({ ...ROLES, 'lb-2': ['worker'] });
  const change = (after: ClusterSpec) => refusedRemovals(cluster, after, { phases, served: all(cluster) });

  it('takes the role of a balancer that hands over, and of no control plane', () => {
    expect(change(without)).toEqual([]);
    expect(change(clusterOf({ ...ROLES, 'cp-3': ['worker'] }))[0]?.message).toMatch(/cp-3 runs the phase servers/);
  });

  it('does not take it from all that serve at once: no host could take over', () => {
    const swapped = clusterOf({ ...ROLES, 'lb-1': ['worker'], 'lb-2': ['worker'], 'w-1': ['worker', 'load-balancer'] });
    expect(change(swapped)).toEqual([
      {
        path: 'spec.hosts[3].roles',
        message: expect.stringMatching(/none of the hosts that run the phase load-balancer now would be left/),
      },
    ]);
  });

  it('has the host hand over before anything else of the build', () => {
    const plan = makePlan(input({}), without, phases, { served: all(cluster), before: cluster });
    expect(shape(plan)).toMatchObject({ 'hand-over': 'lb-2', 'load-balancer': 'lb-1' });
    expect(needsOf(plan, 'base')).toEqual([everyHost('hand-over')]);
    const again = makePlan(input({}), without, phases, { served: all(cluster), before: without });
    expect(shape(again)['hand-over']).toBeUndefined();
    expect(shape(makePlan(input({}), cluster, phases, { served: all(cluster), before: cluster }))['hand-over']).toBe(
      undefined,
    );
  });

  it('that moves the cluster to another way hands over nothing: the old way goes last', () => {
    const moved = clusterOf(
      Object.fromEntries(
        Object.entries(ROLES).map(([name, of]) => [name, of.includes('load-balancer') ? ['worker'] : of]),
      ),
      {},
    );
    const plan = makePlan(input({}), moved, phases, { served: all(cluster), before: cluster });
    expect(shape(plan)['hand-over']).toBeUndefined();
  });
});
