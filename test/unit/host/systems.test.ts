import { describe, expect, it } from 'vitest';
import { parseFacts } from '../../../activities/host/facts.ts';
import { familyOf } from '../../../activities/host/family/families.ts';
import { judgeSystem, SUPPORTED_SYSTEMS } from '../../../activities/host/family/systems.ts';

/** /etc/os-release as the distributions have it, and the package manager of their images. */
const RELEASES: Readonly<Record<string, { tool: 'apt-get' | 'dnf'; text: string }>> = {
  'Debian 12': {
    tool: 'apt-get',
    text: 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION="12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\nHOME_URL="https://www.debian.org/"',
  },
  'Debian 13': {
    tool: 'apt-get',
    text: 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\nVERSION="13 (trixie)"\nVERSION_CODENAME=trixie\nDEBIAN_VERSION_FULL=13.1\nID=debian',
  },
  'Debian 11': {
    tool: 'apt-get',
    text: 'PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nNAME="Debian GNU/Linux"\nVERSION_ID="11"\nVERSION="11 (bullseye)"\nID=debian',
  },
  'Debian testing': {
    tool: 'apt-get',
    text: 'PRETTY_NAME="Debian GNU/Linux forky/sid"\nNAME="Debian GNU/Linux"\nVERSION_CODENAME=forky\nID=debian',
  },
  'Ubuntu 22.04': {
    tool: 'apt-get',
    text: 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nNAME="Ubuntu"\nVERSION_ID="22.04"\nVERSION="22.04.5 LTS (Jammy Jellyfish)"\nVERSION_CODENAME=jammy\nID=ubuntu\nID_LIKE=debian\nUBUNTU_CODENAME=jammy',
  },
  'Ubuntu 24.04': {
    tool: 'apt-get',
    text: 'PRETTY_NAME="Ubuntu 24.04.3 LTS"\nNAME="Ubuntu"\nVERSION_ID="24.04"\nVERSION="24.04.3 LTS (Noble Numbat)"\nID=ubuntu\nID_LIKE=debian',
  },
  'Ubuntu 25.10': {
    tool: 'apt-get',
    text: 'PRETTY_NAME="Ubuntu 25.10"\nNAME="Ubuntu"\nVERSION_ID="25.10"\nID=ubuntu\nID_LIKE=debian',
  },
  'Ubuntu 23.04': {
    tool: 'apt-get',
    text: 'PRETTY_NAME="Ubuntu 23.04"\nNAME="Ubuntu"\nVERSION_ID="23.04"\nID=ubuntu\nID_LIKE=debian',
  },
  'Ubuntu 20.04': {
    tool: 'apt-get',
    text: 'PRETTY_NAME="Ubuntu 20.04.6 LTS"\nNAME="Ubuntu"\nVERSION_ID="20.04"\nID=ubuntu\nID_LIKE=debian',
  },
  'RHEL 9': {
    tool: 'dnf',
    text: 'NAME="Red Hat Enterprise Linux"\nVERSION="9.6 (Plow)"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.6"\nPLATFORM_ID="platform:el9"\nPRETTY_NAME="Red Hat Enterprise Linux 9.6 (Plow)"',
  },
  'RHEL 10': {
    tool: 'dnf',
    text: 'NAME="Red Hat Enterprise Linux"\nVERSION="10.0 (Coughlan)"\nID="rhel"\nID_LIKE="centos fedora"\nVERSION_ID="10.0"\nPLATFORM_ID="platform:el10"\nPRETTY_NAME="Red Hat Enterprise Linux 10.0 (Coughlan)"',
  },
  'RHEL 8': {
    tool: 'dnf',
    text: 'NAME="Red Hat Enterprise Linux"\nVERSION="8.10 (Ootpa)"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="8.10"\nPRETTY_NAME="Red Hat Enterprise Linux 8.10 (Ootpa)"',
  },
  'CentOS Stream 9': {
    tool: 'dnf',
    text: 'NAME="CentOS Stream"\nVERSION="9"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="9"\nPLATFORM_ID="platform:el9"\nPRETTY_NAME="CentOS Stream 9"',
  },
  'CentOS Stream 10': {
    tool: 'dnf',
    text: 'NAME="CentOS Stream"\nVERSION="10 (Coughlan)"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="10"\nPRETTY_NAME="CentOS Stream 10 (Coughlan)"',
  },
  'CentOS 7': {
    tool: 'dnf',
    text: 'NAME="CentOS Linux"\nVERSION="7 (Core)"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\nPRETTY_NAME="CentOS Linux 7 (Core)"',
  },
  'Rocky 9': {
    tool: 'dnf',
    text: 'NAME="Rocky Linux"\nVERSION="9.6 (Blue Onyx)"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.6"\nPLATFORM_ID="platform:el9"\nPRETTY_NAME="Rocky Linux 9.6 (Blue Onyx)"',
  },
  'Rocky 10': {
    tool: 'dnf',
    text: 'NAME="Rocky Linux"\nVERSION="10.0 (Red Quartz)"\nID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.0"\nPRETTY_NAME="Rocky Linux 10.0 (Red Quartz)"',
  },
  'AlmaLinux 9': {
    tool: 'dnf',
    text: 'NAME="AlmaLinux"\nVERSION="9.6 (Sage Margay)"\nID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.6"\nPRETTY_NAME="AlmaLinux 9.6 (Sage Margay)"',
  },
  'AlmaLinux 10': {
    tool: 'dnf',
    text: 'NAME="AlmaLinux"\nVERSION="10.0 (Purple Lion)"\nID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.0"\nPRETTY_NAME="AlmaLinux 10.0 (Purple Lion)"',
  },
  'Oracle Linux 9': {
    tool: 'dnf',
    text: 'NAME="Oracle Linux Server"\nVERSION="9.6"\nID="ol"\nID_LIKE="fedora"\nVARIANT="Server"\nVERSION_ID="9.6"\nPRETTY_NAME="Oracle Linux Server 9.6"',
  },
  'openEuler 22.03': {
    tool: 'dnf',
    text: 'NAME="openEuler"\nVERSION="22.03 (LTS-SP4)"\nID="openEuler"\nVERSION_ID="22.03"\nPRETTY_NAME="openEuler 22.03 (LTS-SP4)"\nANSI_COLOR="0;31"',
  },
  'openEuler 24.03': {
    tool: 'dnf',
    text: 'NAME="openEuler"\nVERSION="24.03 (LTS-SP1)"\nID="openEuler"\nVERSION_ID="24.03"\nPRETTY_NAME="openEuler 24.03 (LTS-SP1)"',
  },
  'openEuler 20.03': {
    tool: 'dnf',
    text: 'NAME="openEuler"\nVERSION="20.03 (LTS-SP3)"\nID="openEuler"\nVERSION_ID="20.03"\nPRETTY_NAME="openEuler 20.03 (LTS-SP3)"',
  },
  'Kylin V10': {
    tool: 'dnf',
    text: 'NAME="Kylin Linux Advanced Server"\nVERSION="V10 (Lance)"\nID="kylin"\nVERSION_ID="V10"\nPRETTY_NAME="Kylin Linux Advanced Server V10 (Lance)"\nANSI_COLOR="0;31"',
  },
  'Kylin V11': {
    tool: 'dnf',
    text: 'NAME="Kylin Linux Advanced Server"\nVERSION="V11 (Swan25)"\nID="kylin"\nVERSION_ID="V11"\nPRETTY_NAME="Kylin Linux Advanced Server V11 (Swan25)"',
  },
  'Kylin desktop': {
    tool: 'apt-get',
    text: 'NAME="Kylin"\nVERSION="银河麒麟桌面操作系统V10 (SP1)"\nID=kylin\nID_LIKE=debian\nPRETTY_NAME="Kylin V10 SP1"\nVERSION_ID="v10"',
  },
  'Anolis OS 23': {
    tool: 'dnf',
    text: 'NAME="Anolis OS"\nVERSION="23"\nID="anolis"\nID_LIKE="rhel fedora centos"\nVERSION_ID="23"\nPRETTY_NAME="Anolis OS 23"',
  },
  'Anolis OS 8': {
    tool: 'dnf',
    text: 'NAME="Anolis OS"\nVERSION="8.9"\nID="anolis"\nID_LIKE="rhel fedora centos"\nVERSION_ID="8.9"\nPRETTY_NAME="Anolis OS 8.9"',
  },
  'Fedora 42': {
    tool: 'dnf',
    text: 'NAME="Fedora Linux"\nVERSION="42 (Server Edition)"\nID=fedora\nVERSION_ID=42\nPRETTY_NAME="Fedora Linux 42 (Server Edition)"',
  },
  'Alpine 3.22': {
    tool: 'apt-get',
    text: 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"',
  },
};

const factsOf = (name: string, tool = RELEASES[name]!.tool as string) =>
  parseFacts(
    [...RELEASES[name]!.text.split('\n').map((line) => `os.${line}`), `packages=${tool}`, 'arch=x86_64'].join('\n'),
  );

describe('a system', () => {
  it.each([
    ...['Debian 12', 'Debian 13', 'Ubuntu 22.04', 'Ubuntu 24.04', 'RHEL 9', 'RHEL 10', 'CentOS Stream 9'],
    ...['CentOS Stream 10', 'Rocky 9', 'Rocky 10', 'AlmaLinux 9', 'AlmaLinux 10', 'Oracle Linux 9'],
    ...['openEuler 22.03', 'openEuler 24.03', 'Kylin V10', 'Kylin V11'],
  ])('is supported: %s', (name) => {
    const facts = factsOf(name);
    expect(judgeSystem(facts)).toEqual({ verdict: 'supported', reason: '' });
    expect(familyOf(facts).name).toBe(RELEASES[name]!.tool === 'dnf' ? 'rhel' : 'debian');
  });

  it.each([
    ['Ubuntu 25.10', /tested: Ubuntu 22\.04, 24\.04/],
    ['Ubuntu 23.04', /tested: Ubuntu/],
    ['Debian testing', /tested: Debian 12, 13/],
    ['Anolis OS 23', /by ID_LIKE it is treated as RHEL/],
  ])('is untested: %s', (name, reason) => {
    expect(judgeSystem(factsOf(name))).toEqual({ verdict: 'untested', reason: expect.stringMatching(reason) });
  });

  it.each([
    ['Debian 11', /too old; supported: Debian 12, 13/],
    ['Ubuntu 20.04', /too old/],
    ['RHEL 8', /too old; supported: RHEL 9, 10/],
    ['CentOS 7', /too old/],
    ['openEuler 20.03', /too old; supported: openEuler 22\.03/],
    ['Anolis OS 8', /too old/],
    ['Kylin desktop', /has no dnf/],
    ['Fedora 42', /is not supported/],
    ['Alpine 3.22', /is not supported/],
  ])('is unsupported: %s', (name, reason) => {
    expect(judgeSystem(factsOf(name))).toEqual({ verdict: 'unsupported', reason: expect.stringMatching(reason) });
  });

  it('without the package manager of its family is unsupported', () => {
    expect(judgeSystem(factsOf('Rocky 9', 'none')).reason).toBe('has no dnf, the package manager of its family');
    expect(judgeSystem(factsOf('Debian 12', 'dnf')).reason).toMatch(/has no apt/);
  });

  it('without a version is unsupported, where the distribution has versions', () => {
    const facts = factsOf('Rocky 9');
    expect(judgeSystem({ ...facts, os: { ...facts.os, versionId: '' } }).reason).toMatch(/no version in VERSION_ID/);
  });

  it('is in the list that messages have', () => {
    expect(SUPPORTED_SYSTEMS).toContain('Rocky Linux 9, 10');
    expect(SUPPORTED_SYSTEMS).toContain('Kylin Linux Advanced Server 10, 11');
  });
});
