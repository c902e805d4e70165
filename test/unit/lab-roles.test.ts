import { describe, expect, it } from 'vitest';
import { MAX_HOSTS } from '../../lab/paths.ts';
import { hostNames, type LabRoles, labRoles, parseHosts, roleOf } from '../../lab/roles.ts';
import { labSpec } from '../../lab/spec.ts';
import { gatewayAddress, hostAddress, virtualAddress } from '../../lab/subnet.ts';

const SUBNET = '10.87.1.0/24';

function specOf(roles: LabRoles) {
  const hosts = hostNames(roles).map((name, index) => ({
    ...{ name, address: hostAddress(SUBNET, index), port: 22 as const, user: 'root' as const },
    ...{ sshKey: '/cache/labs/kw/id_ed25519', hostKey: 'ssh-ed25519 AAAA' },
  }));
  const lab = { name: 'kw', hosts, virtualAddress: virtualAddress(SUBNET), mirror: null };
  return labSpec(lab, { cgroupV2: true, sysResource: true, swap: false }).spec;
}
const rolesIn = (spec: ReturnType<typeof specOf>) =>
  Object.fromEntries(spec.hosts.map(({ name, roles }) => [name as string, roles]));

describe('--hosts', () => {
  it.each([
    ['3', 3],
    ['control-plane=3,load-balancer=2,worker=1', { 'control-plane': 3, 'load-balancer': 2, worker: 1 }],
    ['control-plane=1,spare=0', { 'control-plane': 1, spare: 0 }],
  ])('reads %s', (text, wanted) => {
    expect(parseHosts(text)).toEqual(wanted);
  });

  it.each(['', 'three', '-1', 'worker', 'worker=', 'worker=x', 'master=1', 'worker=1,worker=2', 'worker=1,', '1000'])(
    'refuses %j',
    (text) => {
      expect(() => parseHosts(text)).toThrow(/give a number, or each of/);
    },
  );

  it('refuses counts that no lab has', () => {
    for (const hosts of [0, MAX_HOSTS + 1, 1.5, { 'control-plane': 1, worker: MAX_HOSTS }])
      expect(() => labRoles(hosts)).toThrow(/a lab has 1 to/);
    expect(() => labRoles({ worker: 1 })).toThrow(/at least one control plane/);
    expect(() => labRoles(2, 3)).toThrow(/3 control planes/);
    expect(() => labRoles({ 'control-plane': 1 }, 1)).toThrow(/not twice/);
  });

  it('means control planes first and workers after them where it is a number', () => {
    expect(hostNames(labRoles(3))).toEqual(['cp-1', 'worker-1', 'worker-2']);
    expect(hostNames(labRoles(4, 3))).toEqual(['cp-1', 'cp-2', 'cp-3', 'worker-1']);
  });
});

describe('a lab with roles', () => {
  const roles = { 'control-plane': 3, 'load-balancer': 2, worker: 2, spare: 1 };

  it('names hosts after them', () => {
    const names = hostNames(roles);
    expect(names).toEqual(['cp-1', 'cp-2', 'cp-3', 'lb-1', 'lb-2', 'worker-1', 'worker-2', 'spare-1']);
    expect(names.map(roleOf).filter((role) => role === 'load-balancer')).toHaveLength(2);
  });

  it('has a spec with its balancers, its endpoint, and no spare machine', () => {
    const spec = specOf(roles);
    const plane = ['control-plane', 'etcd', 'worker'];
    expect(rolesIn(spec)).toEqual({
      ...{ 'cp-1': plane, 'cp-2': plane, 'cp-3': plane },
      ...{ 'lb-1': ['load-balancer'], 'lb-2': ['load-balancer'] },
      ...{ 'worker-1': ['registry', 'time-server', 'worker'], 'worker-2': ['worker'] },
    });
    expect(spec['controlPlane']).toEqual({ endpoint: { host: '10.87.1.9' } });
  });

  it('has etcd on hosts of its own where they are asked for', () => {
    expect(rolesIn(specOf({ 'control-plane': 1, etcd: 3 }))).toEqual({
      'cp-1': ['control-plane', 'registry', 'time-server', 'worker'],
      ...{ 'etcd-1': ['etcd'], 'etcd-2': ['etcd'], 'etcd-3': ['etcd'] },
    });
  });

  it('gives the address of the endpoint to no host', () => {
    const addresses = Array.from({ length: MAX_HOSTS }, (_, index) => hostAddress(SUBNET, index));
    expect([gatewayAddress(SUBNET), ...addresses]).not.toContain(virtualAddress(SUBNET));
  });

  it('has no endpoint without balancers', () => {
    expect(specOf(labRoles(3))).not.toHaveProperty('controlPlane');
  });
});
