import { describe, expect, it } from 'vitest';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import type { OperationInput } from '../../../contracts/operation.ts';
import { sampleCluster } from '../../golden/golden.ts';
import { makePlan } from '../../support/plans.ts';

const phases = await loadPhases();
const cluster = sampleCluster();
const input = (more: Partial<OperationInput> = {}): OperationInput => ({
  cluster: 'sample',
  operationId: 'op',
  kind: 'teardown',
  mode: 'apply',
  specRef: '0'.repeat(64),
  requestId: 'r',
  actor: { name: 'test', role: 'admin' },
  ...more,
});
const shape = (more?: Partial<OperationInput>) =>
  makePlan(input(more), cluster, phases).phases.map(({ name, hosts }) => `${name}: ${hosts.join(' ')}`);

describe('the plan of a teardown', () => {
  it('is every host, also those in quarantine, etcd last, and then the store', () => {
    const names = cluster.spec.hosts.map(({ name }) => name);
    const quarantine = [{ host: names.at(-1)!, since: '', by: '', why: '', phase: '', operationId: '' }];
    const [first, second, ...rest] = shape({ quarantine });
    expect(first!.split(': ')[1]!.split(' ').sort()).toEqual([...names].sort());
    const last = first!.split(' ').at(-1)!;
    expect(cluster.spec.hosts.find(({ name }) => name === last)!.roles).toContain('etcd');
    expect([second, rest]).toEqual(['forget: cluster', []]);
  });

  it('of one host drains its node first, through a control plane, with the name of the host', () => {
    const worker = 'worker-2';
    const hosts = cluster.spec.hosts.map((host) => ({
      ...host,
      roles: host.roles.filter((role) => role !== 'etcd' || host.name !== worker),
    }));
    const plan = makePlan(input({ hosts: [worker] }), { ...cluster, spec: { ...cluster.spec, hosts } }, phases);
    expect(plan.focus).toEqual([worker]);
    expect(plan.quorum.every(({ hosts }) => !hosts.includes(worker))).toBe(true);
    expect(plan.phases.map(({ name, hosts }) => [name, hosts.length])).toEqual([
      ['remove-node', 1],
      ['teardown', 1],
      ['forget', 1],
    ]);
    expect(plan.phases.every(({ name, clusterWide }) => clusterWide === (name !== 'teardown'))).toBe(true);
  });

  it('of hosts with members of etcd lets these leave one after the other, before their hosts are taken back', () => {
    const more = ['cp-2', 'cp-3', 'cp-4', 'cp-5'].map((name, at) => ({
      name,
      address: `10.20.0.${21 + at}`,
      roles: ['control-plane', 'etcd', 'worker'],
    }));
    const five = sampleCluster({ hosts: [{ ...cluster.spec.hosts[0]!, phases: {} }, ...more] });
    const leaving = ['cp-4', 'cp-5'];
    const plan = makePlan(input({ hosts: leaving }), five, phases);
    const named = (name: string) => plan.phases.find((phase) => phase.name === name)!;
    expect(named('remove-member')).toMatchObject({ clusterWide: true, hosts: ['cp-1'] });
    expect(named('teardown').hosts).toEqual(leaving);
    expect(named('teardown').needs).toContainEqual({ phase: 'remove-member', on: 'every-host' });
    // API servers of those who stay forget the members first.
    expect(named('remove-member').needs).toContainEqual({ phase: 'master', on: 'every-host' });
    expect(named('master').hosts).toEqual(['cp-1', 'cp-2', 'cp-3']);
  });

  it('has nothing of a build, and a build nothing of it', () => {
    const build = makePlan(input({ kind: 'build' }), cluster, phases).phases.map(({ name }) => name);
    expect(build).toContain('prepare');
    for (const name of ['teardown', 'forget', 'remove-node', 'remove-member']) expect(build).not.toContain(name);
  });
});
