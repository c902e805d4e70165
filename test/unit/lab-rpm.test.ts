import { describe, expect, it } from 'vitest';
import { parseFacts } from '../../activities/host/facts.ts';
import { packageNames } from '../../activities/host/family/families.ts';
import { rhel } from '../../activities/host/family/rhel.ts';
import { judgeSystem } from '../../activities/host/family/systems.ts';
import { scanPhases } from '../../activities/phases/phase-loader.ts';
import { allPackages } from '../../activities/phases/required.ts';
import { requirementsOn } from '../../activities/phases/requires.ts';
import { basePackages, REPACKED } from '../../lab/rpm/packages.ts';
import { rpmSpec, rpmVersion, simulatedInstall } from '../../lab/rpm/spec.ts';
import { LAB_SYSTEMS, labSystem } from '../../lab/systems.ts';
import { sampleCluster } from '../golden/golden.ts';

describe('RPMs of a lab', () => {
  it('have a spec file that packs files as they are', () => {
    const spec = rpmSpec(
      {
        name: 'chrony',
        version: '4.3_2',
        summary: 'NTP',
        arch: 'native',
        requires: ['/bin/sh'],
        scripts: { post: 'ldconfig', preun: 'systemctl disable --now chronyd' },
      },
      {
        files: ['/usr/sbin/chronyd'],
        config: ['/etc/chrony.conf'],
        folders: ['/var/lib/chrony', '/usr/share/x'],
        owners: { '/var/lib/chrony': '_chrony' },
      },
    );
    expect(spec).toContain('%global __os_install_post %{nil}');
    expect(spec).toContain('AutoReqProv: no');
    expect(spec).toMatch(/%post\nif \[ "\$1" = 1 \]; then\nldconfig\nfi/);
    expect(spec).toMatch(/%preun\nif \[ "\$1" = 0 \]; then/);
    expect(spec).toContain('%attr(0750, _chrony, _chrony) %dir "/var/lib/chrony"\n%dir "/usr/share/x"');
    expect(spec).toContain('%config(noreplace) "/etc/chrony.conf"');
    expect(() =>
      rpmSpec(basePackages({ name: 'r', version: '9.6' })[0]!, { files: ['/a"b'], config: [], folders: [] }),
    ).toThrow();
  });

  it('have versions that RPM takes, and what apt would bring along', () => {
    expect(rpmVersion('1:4.3-2+deb12u1')).toBe('4.3_2+deb12u1');
    expect(
      simulatedInstall('Inst libedit2 (3.1 Debian:12 [amd64])\nInst nftables:amd64 (1.0)\nConf nftables (1.0)\n'),
    ).toEqual(['libedit2', 'nftables']);
  });

  it('are those that the default phases install, by the names of the family', async () => {
    const cluster = sampleCluster();
    const phases = await scanPhases();
    const names = cluster.spec.hosts.flatMap((host) => allPackages(requirementsOn(cluster, host, phases.values())));
    const there = [
      ...REPACKED.map(({ rpm }) => rpm),
      ...basePackages({ name: 'r', version: '9.6' }).map(({ name }) => name),
    ];
    expect(packageNames(rhel, names).filter((name) => !there.includes(name))).toEqual([]);
  });
});

describe('systems of a lab', () => {
  it('are supported ones, by what their hosts say', () => {
    for (const { rpm } of LAB_SYSTEMS) {
      if (!rpm) continue;
      const facts = parseFacts(`${rpm.osRelease.replaceAll(/^/gm, 'os.')}\npackages=dnf\n`);
      expect(judgeSystem(facts)).toEqual({ verdict: 'supported', reason: '' });
    }
  });

  it('are known by name', () => {
    expect(labSystem('rocky9').rpm?.release).toEqual({ name: 'rocky-release', version: '9.6' });
    expect(() => labSystem('rocky8')).toThrow('debian12, rocky9, openeuler24');
  });
});
