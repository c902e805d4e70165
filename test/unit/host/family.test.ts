import { describe, expect, it } from 'vitest';
import { debian } from '../../../activities/host/family/debian.ts';
import { FAMILIES, familyOf, packageNames, unitName } from '../../../activities/host/family/families.ts';
import { rhel } from '../../../activities/host/family/rhel.ts';
import { scanPhases } from '../../../activities/phases/phase-loader.ts';
import { allPackages } from '../../../activities/phases/required.ts';
import { requirementsOn } from '../../../activities/phases/requires.ts';
import { sampleCluster } from '../../golden/golden.ts';

describe('families', () => {
  it('translate names of packages: other names, several, none, and those that they lack', () => {
    const names = ['conntrack', 'curl', 'iptables', 'haproxy', 'ntpsec', 'libnginx-mod-stream'];
    expect(packageNames(rhel, names)).toEqual(['conntrack-tools', 'iptables-nft', 'haproxy', 'nginx-mod-stream']);
    expect(packageNames(debian, names)).toEqual(names);
    // Names of the distribution itself are taken as they are, also those that are properties of every object.
    expect(packageNames(rhel, ['iptables-nft', 'iptables', 'constructor'])).toEqual(['iptables-nft', 'constructor']);
  });

  it('have their own names of units', () => {
    expect(unitName(rhel, 'chrony')).toBe('chronyd');
    expect(unitName(debian, 'chrony')).toBe('chrony');
    expect(unitName(rhel, 'haproxy')).toBe('haproxy');
  });

  it('are recognised by the package manager of the host', () => {
    expect(familyOf({ packageManager: 'dnf' })).toBe(rhel);
    expect(familyOf({ packageManager: 'apt' })).toBe(debian);
    expect(familyOf({ packageManager: 'none' })).toBe(debian);
  });

  it('give a reason for each package that they lack', () => {
    const lacking = FAMILIES.flatMap(({ packages }) =>
      Object.values(packages).flatMap((entry) => ('lacks' in entry ? [entry.lacks] : [])),
    );
    expect(lacking.length).toBeGreaterThan(0);
    for (const reason of lacking) expect(reason).toMatch(/^[a-z].{20,}[^.]$/);
  });

  it('have every package that the default phases need', async () => {
    const { spec, ...rest } = sampleCluster();
    const phases = await scanPhases();
    const names = spec.hosts.flatMap((host) => allPackages(requirementsOn({ spec, ...rest }, host, phases.values())));
    expect(names).toContain('chrony');
    for (const family of FAMILIES) {
      for (const name of names) expect(family.packages[name] ?? []).not.toHaveProperty('lacks');
    }
  });
});
