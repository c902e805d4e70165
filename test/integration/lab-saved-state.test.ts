import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { cutLink, execInHost, stopSshd } from '../../lab/faults.ts';
import { sshGreets } from '../../lab/host.ts';
import { labStatus } from '../../lab/lab.ts';
import { mounts } from '../../lab/mounts.ts';
import { hostPaths, labOfRef } from '../../lab/paths.ts';
import { restoreLab, savedStates, saveLab } from '../../lab/saved-state.ts';
import { onHost } from './support.ts';

const lab = inject('lab');
const HOST = 'worker-1';
const LABEL = 'before-damage';

/** What a disk can hold that a careless copy loses: above the base image, in plain /var, and as containerd keeps it. */
const MAKE = `
rm /usr/share/doc/curl/copyright
rm -r /etc/skel; mkdir /etc/skel; echo new >/etc/skel/new
chmod 2751 /usr/bin/curl
mkdir -p /opt/kept; cd /opt/kept
echo one >file; ln file hard; ln -s file soft; mkfifo pipe; truncate -s 64M hole; chown 1234:4321 file
mkdir -p /var/lib/kept/l/gone /var/lib/kept/u /var/lib/kept/w /var/lib/kept/m; cd /var/lib/kept
echo lower >l/a; echo lower >l/gone/b
mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m
rm m/a; rm -r m/gone; mkdir m/gone; echo upper >m/gone/c
`;
/** Every file with type, mode, owner, size, time, links and blocks; what a running host changes by itself is left out. */
const LISTING = `find / -xdev \\( -path /var/log -o -path /var/lib/systemd -o -path /var/tmp -o -path /var/cache -o -path /run -o -path /tmp \
 -o -path /proc -o -path /sys -o -path /dev -o -path /var/lib/kept/w \\) -prune -o ! -type d -printf '%p %y %m %U:%G %s %T@ %n %l\\n' | sort
find /var/lib/kept -xdev ! -path '/var/lib/kept/w*' -printf '%p %y %m %U:%G %n\\n' | sort
cat /opt/kept/file /etc/skel/new; ls -A /etc/skel; stat -c '%b' /opt/kept/hole`;
const listing = async (): Promise<string[]> => (await onHost(lab, HOST, LISTING)).split('\n');

beforeAll(() => saveLab(lab, 'fresh'));
// For the files that come later.
afterAll(() => restoreLab(lab, 'fresh'));

it('disks are as they were saved, and every host runs', async () => {
  await onHost(lab, HOST, MAKE);
  // Its mount would hide what is below.
  await onHost(lab, HOST, 'umount /var/lib/kept/m');
  const before = await listing();
  await saveLab(lab, LABEL);
  expect(await savedStates(lab)).toEqual([LABEL, 'fresh']);
  expect((await labStatus(lab.name))?.up).toBe(true);
  // Saving changes nothing.
  expect(await listing()).toEqual(before);

  await onHost(
    lab,
    HOST,
    'rm -rf /opt/kept /var/lib/kept /etc/skel /usr/share/doc; echo other >/etc/hostname; rm /usr/bin/curl',
  );
  await onHost(lab, 'cp-1', 'mkdir /opt/new && mount -t tmpfs none /opt/new && touch /opt/new/file /root/new');
  await stopSshd(lab, HOST);
  await cutLink(lab, 'cp-1');
  await restoreLab(lab, LABEL);

  expect(await listing()).toEqual(before);
  for (const { address } of lab.hosts) expect(await sshGreets(address)).toBe(true);
  expect((await execInHost(lab, 'cp-1', ['ls', '/opt/new', '/root/new'])).code).not.toBe(0);
  expect((await execInHost(lab, HOST, ['cat', '/etc/hostname'])).stdout).toBe(`${HOST}\n`);
  // What an overlay in /var says of removed and replaced things was kept as well.
  const merged = `cd /var/lib/kept; mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m; find m | sort; umount m`;
  expect(await onHost(lab, HOST, merged)).toBe('m\nm/gone\nm/gone/c\n');
});

it('nothing of the old disks is left, and hosts are mounted once', async () => {
  for (const index of [0, 1]) {
    const { dir, root } = hostPaths(labOfRef(lab), index);
    const own = (await mounts()).map(({ path }) => path).filter((path) => path.startsWith(`${dir}/`));
    expect(own.sort()).toEqual([root, `${root}/var`]);
    // systemd-nspawn's own lock is named `.#root.lck`.
    const entries = readdirSync(dir).filter((name) => !name.startsWith('.'));
    expect(entries.sort()).toEqual(['nspawn.log', 'root', 'upper', 'var', 'work']);
  }
});

it('refuses labels that are none, states that are not there, and states of other hosts; the lab stays up', async () => {
  for (const label of ['', '..', 'a/b', 'Capital', 'x'.repeat(33)])
    await expect(saveLab(lab, label)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  await expect(restoreLab(lab, 'no-such')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(restoreLab({ ...lab, name: 'kwnone' }, LABEL)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const record = join(labOfRef(lab).stateDir, 'saved', LABEL, 'hosts.json');
  const right = await readFile(record, 'utf8');
  await writeFile(record, right.replace('worker-1', 'worker-9'));
  await expect(restoreLab(lab, LABEL)).rejects.toMatchObject({ code: 'CONFLICT' });
  await writeFile(record, right);
  expect((await labStatus(lab.name))?.up).toBe(true);
});

it('a save that was killed half way is no state', async () => {
  expect(existsSync(join(labOfRef(lab).stateDir, 'saved', `${LABEL}.new`))).toBe(false);
  expect(await savedStates({ ...lab, name: 'kwnone' })).toEqual([]);
});
