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

  it('has nothing of a build, and a build nothing of it', () => {
    const build = makePlan(input({ kind: 'build' }), cluster, phases).phases.map(({ name }) => name);
    expect(build).toContain('prepare');
    for (const name of ['teardown', 'forget', 'remove-node']) expect(build).not.toContain(name);
  });
});
