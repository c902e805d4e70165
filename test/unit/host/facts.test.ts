import { expect, test } from 'vitest';
import { parseFacts, readFacts } from '../../../activities/host/facts.ts';
import { FakeHost } from '../../fakes/fake-host.ts';

const DEBIAN = `hostname=cp-1
machineId=3d1219c7c4c5404aaa1f6d2a48adfda4
bootId=d3c4b998-cf0f-4bd2-b970-86558834de18
arch=x86_64
kernel=6.1.0-31-amd64
os.PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
os.VERSION_ID="12"
os.ID=debian
packages=apt-get
init=systemd
cgroup=2
cpus=2
memoryKiB=24683520
virt=kvm
`;

test('facts of Debian', async () => {
  const host = new FakeHost().on('/etc/os-release', DEBIAN);
  expect(await readFacts(host)).toEqual({
    hostname: 'cp-1',
    machineId: '3d1219c7c4c5404aaa1f6d2a48adfda4',
    bootId: 'd3c4b998-cf0f-4bd2-b970-86558834de18',
    arch: 'amd64',
    kernel: '6.1.0-31-amd64',
    os: { id: 'debian', idLike: [], versionId: '12', name: 'Debian GNU/Linux 12 (bookworm)' },
    packageManager: 'apt',
    initSystem: 'systemd',
    cgroup: 2,
    cpus: 2,
    memoryMiB: 24105,
    virtualization: 'kvm',
  });
  expect(host.commands[0]?.options.sudo).toBe(false);
});

test('facts of a RHEL family system on arm64', () => {
  const facts = parseFacts(
    'arch=aarch64\nos.ID="rocky"\nos.ID_LIKE="rhel centos fedora"\nos.VERSION_ID=\'9.4\'\npackages=dnf\ninit=systemd\n',
  );
  expect(facts).toMatchObject({ arch: 'arm64', packageManager: 'dnf', cgroup: 1 });
  expect(facts.os).toEqual({ id: 'rocky', idLike: ['rhel', 'centos', 'fedora'], versionId: '9.4', name: '' });
});

test('an unknown system is described, and rubbish does no harm', () => {
  const odd = parseFacts('arch=riscv64\nos.ID=plan9\ninit=s6-svscan\n=x\nnonsense\ncpus=many\nmemoryKiB=-5\r\n\0');
  expect(odd).toMatchObject({
    arch: 'riscv64',
    packageManager: 'none',
    initSystem: 's6-svscan',
    cpus: 0,
    memoryMiB: 0,
  });
  expect(parseFacts('')).toMatchObject({ hostname: '', cgroup: 1, os: { id: '' } });
  expect(parseFacts('os.PRETTY_NAME="a \\"b\\" \\$c"').os.name).toBe('a "b" $c');
  expect(parseFacts(`hostname=${'x'.repeat(10_000)}`).hostname.length).toBeLessThan(300);
});
