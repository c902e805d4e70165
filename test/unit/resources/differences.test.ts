import { expect, it } from 'vitest';
import { diff } from '../../../activities/resources/engine/diff.ts';
import { readAnswer } from '../../../activities/resources/engine/probe.ts';
import { type Resource, resourceKey } from '../../../activities/resources/resource.ts';
import { swapOff } from '../../../activities/resources/swap-off.ts';
import { swapUnitsMasked } from '../../../activities/resources/swap-units.ts';
import { ufwRules } from '../../../activities/resources/ufw-rules.ts';
import { user } from '../../../activities/resources/user.ts';
import { FACTS } from './support/local-host.ts';

/** What answers of hosts come to, without a host. */
const of = (resource: Resource, output: string) =>
  diff(
    [resource],
    { byResource: new Map([[resourceKey(resource), readAnswer(output, 'm', resource)]]), verified: '' },
    FACTS,
  ).changes;

it('open ufw with their own rules, and remove those that are no longer needed', () => {
  const resource = ufwRules({
    openings: [
      { protocol: 'tcp', port: 6443, what: 'kube-apiserver', sources: ['10.0.0.2', '0.0.0.0/0'] },
      { protocol: 'tcp', port: 2379, what: 'etcd', sources: ['10.0.0.2'] },
    ],
    passages: [{ from: '10.244.0.0/16', to: null, inside: true }],
  });
  expect(of(resource, 'looked\n')).toEqual([]);
  const there = [
    'ufw allow from 10.0.0.2 to any port 2379,6443 proto tcp',
    "ufw allow 6443/tcp comment 'theirs'",
    "ufw allow from 10.0.0.9 to any port 6443 proto tcp comment 'kubewright: kube-apiserver'",
    "ufw deny 6443 comment 'kubewright: $(reboot)'",
    'ufw allow from 10.0.0.8',
  ];
  expect(of(resource, `looked\nactive\n${there.join('\n')}\n`)[0]?.detail).toBe(
    'route allow from 10.244.0.0/16; no longer: allow from 10.0.0.9 to any port 6443 proto tcp',
  );
});

it('see swap in use and swap that would come back', () => {
  expect(of(swapOff(), 'fstab 0\n')).toEqual([]);
  expect(of(swapOff(), 'swap /dev/sda2\nfstab 1\n')[0]?.detail).toBe('swapoff /dev/sda2, 1 lines of fstab');
});

it('leave the swap of a machine to the machine, and see what would bring it back in a container', () => {
  expect(of(swapOff({ ofOthers: true }), 'swap /dev/sda2\nfstab 0\n')).toEqual([]);
  expect(of(swapOff({ ofOthers: true }), 'swap /dev/sda2\nfstab 1\n')[0]?.detail).toBe('1 lines of fstab');
});

it('name each unit that brings swap back once, with its file', () => {
  const said = [
    'unit dev-zram0.swap /run/systemd/generator/dev-zram0.swap',
    'unit dev-zram0.swap /usr/lib/systemd/zram-generator.conf',
    'unit zramswap.service /usr/lib/systemd/system/zramswap.service',
    'unit $(reboot).service /etc/systemd/system/x.service',
    'known',
  ];
  expect(of(swapUnitsMasked(), `${said.join('\n')}\n`).map(({ detail }) => detail)).toEqual([
    'mask dev-zram0.swap, which brings swap back (/run/systemd/generator/dev-zram0.swap)',
    'mask zramswap.service, which brings swap back (/usr/lib/systemd/system/zramswap.service)',
  ]);
  expect(of(swapUnitsMasked(), 'known\n')).toEqual([]);
});

it('show an account without group or shadow entry, or with another home', () => {
  const account = 'etcd:x:9:9::/nonexistent:/usr/sbin/nologin\n';
  expect(of(user('etcd'), `${account}etcd:x:9:\netcd\n`)).toEqual([]);
  for (const less of [`${account}absent\n`, `${account}etcd:x:9:\nabsent\n`]) {
    expect(of(user('etcd'), less)).toMatchObject([{ action: 'create' }]);
  }
  expect(of(user('etcd', { home: '/x' }), 'etcd:x:9:9::/y:/usr/sbin/nologin\netcd:x:9:\netcd\n')).toMatchObject([
    { detail: 'home /y → /x' },
  ]);
});
