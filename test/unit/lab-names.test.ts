import { describe, expect, it } from 'vitest';
import { clusterSpec } from '../../contracts/cluster.ts';
import { baseRecipe, recipeDigest } from '../../lab/base-recipe.ts';
import { nameservers } from '../../lab/machine.ts';
import { hostPaths, labPaths, MAX_HOSTS } from '../../lab/paths.ts';
import { hostNames, labRoles } from '../../lab/roles.ts';
import { labSpec, type MachineTraits } from '../../lab/spec.ts';
import { gatewayAddress, hostAddress } from '../../lab/subnet.ts';
import type { LabHost } from '../../lab/types.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPVbnig7XoTVm6gAcU7iUIPUk2VwjlGdTFkoZoMNRgcB';
const VIRTUAL = '10.87.1.9';
const hosts = (count: number, controlPlanes = 1): LabHost[] =>
  hostNames(labRoles(count, controlPlanes)).map((name, index) => ({
    name,
    address: hostAddress('10.87.1.0/24', index),
    port: 22,
    user: 'root',
    sshKey: '/cache/labs/kw/id_ed25519',
    hostKey: KEY,
  }));
const bare: MachineTraits = { cgroupV2: true, sysResource: true, swap: false };

describe('lab names', () => {
  it.each(['', 'A', 'toolongname', '-a', 'a-', '1a', 'a_b', 'a b', '../x', 'a;id', 'a\n'])('refuses %j', (name) => {
    expect(() => labPaths(name, '/cache')).toThrow(/lab name/);
  });

  it('fits every interface name into the 15 characters that Linux allows', () => {
    const lab = labPaths('abcdefgh', '/cache');
    const last = hostPaths(lab, MAX_HOSTS - 1);
    for (const name of [lab.bridge, last.veth]) expect(name.length).toBeLessThanOrEqual(15);
  });

  it('keeps the nft tables of labs apart', () => {
    expect(labPaths('a-b', '/cache').nftTable).toBe('kwlab_a_b');
    expect(() => labPaths('a_b', '/cache')).toThrow(/lab name/);
  });

  it('refuses a cache folder that overlay mounts cannot name', () => {
    expect(() => labPaths('kw', '/a:b')).toThrow(/overlay/);
  });
});

describe('addresses', () => {
  it('stay inside the network for the largest lab', () => {
    expect(gatewayAddress('10.87.3.0/24')).toBe('10.87.3.1');
    expect(hostAddress('10.87.3.0/24', 0)).toBe('10.87.3.11');
    expect(hostAddress('10.87.3.0/24', MAX_HOSTS - 1)).toBe('10.87.3.30');
  });

  it('leaves out name servers that only this machine reaches', () => {
    expect(nameservers('nameserver 127.0.0.53\nnameserver 10.0.0.2\n# nameserver 1.1.1.1\n')).toEqual(['10.0.0.2']);
  });
});

describe('the ready spec', () => {
  it.each([1, 2, 3, 4, 5])('is valid with %i control planes of 6 hosts', (controlPlanes) => {
    const lab = {
      name: 'kw',
      hosts: hosts(6, controlPlanes),
      virtualAddress: VIRTUAL,
      mirror: 'http://10.87.1.1:8090',
    };
    for (const traits of [bare, { cgroupV2: false, sysResource: false, swap: true }])
      expect(clusterSpec.safeParse(labSpec(lab, traits)).error?.issues).toBeUndefined();
  });

  it('lets the clients of a lab in where a firewall runs on its hosts, and says nothing of one elsewhere', () => {
    const lab = { name: 'kw', hosts: hosts(3), virtualAddress: VIRTUAL, mirror: null };
    expect(labSpec({ ...lab, clients: ['10.87.1.1/32'] }, bare).spec.phases).toMatchObject({
      prepare: { firewall: { apiFrom: ['10.87.1.1/32'] } },
    });
    expect(labSpec(lab, bare).spec.phases).not.toHaveProperty('prepare');
  });

  it('overrides on cgroup v1 what Kubernetes would refuse, and nothing of that on v2', () => {
    const lab = { name: 'kw', hosts: hosts(3), virtualAddress: VIRTUAL, mirror: null };
    const old = labSpec(lab, { cgroupV2: false, sysResource: false, swap: false }).spec.phases;
    expect(old).toMatchObject({
      nodes: { kubelet: { config: { failCgroupV1: false, cgroupDriver: 'cgroupfs' } } },
      runtime: { config: { systemdCgroup: false, restrictOomScoreAdj: true } },
    });
    const fresh = labSpec(lab, bare).spec.phases;
    expect(fresh).toMatchObject({
      dashboard: { flavour: 'kube-web-view' },
      nodes: { kubeProxy: { config: { conntrack: { maxPerCore: 0, min: 0 } } } },
    });
    expect(JSON.stringify(fresh)).not.toMatch(/failCgroupV1|cgroupDriver|failSwapOn|systemdCgroup|restrictOomScoreAdj/);
  });
});

describe('the base image key', () => {
  const apt = { conf: '', sources: [], certificates: {} };
  const day = 24 * 3600_000;

  it('changes with each input of the image, and every two weeks', () => {
    const now = 14 * day * 1000;
    const first = recipeDigest(baseRecipe(apt, now));
    expect(recipeDigest(baseRecipe(apt, now + 13 * day))).toBe(first);
    expect(recipeDigest(baseRecipe(apt, now + 14 * day))).not.toBe(first);
    expect(recipeDigest(baseRecipe({ ...apt, conf: 'Acquire::http::Proxy "http://p:3128";\n' }, now))).not.toBe(first);
  });
});
