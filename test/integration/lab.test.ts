import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { cgroupsNamed } from '../../lab/cgroups.ts';
import * as faults from '../../lab/faults.ts';
import { sshGreets } from '../../lab/host.ts';
import { labDown, labStatus, labUp } from '../../lab/lab.ts';
import { mounts } from '../../lab/mounts.ts';
import { linkExists } from '../../lab/network.ts';
import { hostPaths, labPaths } from '../../lab/paths.ts';
import { tryRun } from '../../lab/run.ts';

const run = promisify(execFile);
const lab = inject('lab');
const [first, second] = lab.hosts;

const ssh = async (user: string, address: string, command: string): Promise<string> => {
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'BatchMode=yes'];
  const argv = [...options.flatMap((option) => ['-o', option]), '-i', lab.sshKey, `${user}@${address}`, command];
  return (await run('ssh', argv)).stdout.trim();
};

describe('hosts', () => {
  it('let root and admin in with the key, and admin become root', async () => {
    expect(await ssh('root', first!.address, 'hostname')).toBe('cp-1');
    expect(await ssh('admin', first!.address, 'sudo -n id -un')).toBe('root');
  });

  it('are machines of their own: identity, host key, units, cgroups', async () => {
    const facts = async (address: string): Promise<string[]> =>
      (await ssh('root', address, 'cat /etc/machine-id; cut -d" " -f2 /etc/ssh/ssh_host_ed25519_key.pub')).split('\n');
    const [one, two] = await Promise.all([facts(first!.address), facts(second!.address)]);
    expect(new Set([...one, ...two]).size).toBe(4);
    expect(first!.hostKey).toBe(`ssh-ed25519 ${one[1]}`);
    const unit = 'systemd-run --unit=same --remain-after-exit true && systemctl stop same';
    await Promise.all([ssh('root', first!.address, unit), ssh('root', second!.address, unit)]);
  });

  it('reach each other, also through vxlan, and may do what Kubernetes does', async () => {
    const script = `set -e
      ip link add vx0 type vxlan id 7 dev host0 dstport 8472
      ip link delete vx0
      ip netns add t && ip netns delete t
      mkdir -p /var/lib/t/l /var/lib/t/u /var/lib/t/w /var/lib/t/m
      mount -t overlay overlay -o lowerdir=/var/lib/t/l,upperdir=/var/lib/t/u,workdir=/var/lib/t/w /var/lib/t/m
      umount /var/lib/t/m && rm -r /var/lib/t
      sysctl -q -w net.ipv4.ip_forward=1
      test -c /dev/kmsg
      ping -q -c1 -W2 ${second!.address} >/dev/null && echo fine`;
    expect(await ssh('root', first!.address, script)).toBe('fine');
  });
});

describe('faults', () => {
  it('stop and start sshd, with another way in meanwhile', async () => {
    await faults.stopSshd(lab, 'worker-1');
    expect(await sshGreets(second!.address)).toBe(false);
    expect((await faults.execInHost(lab, 'worker-1', ['hostname'])).stdout.trim()).toBe('worker-1');
    await faults.startSshd(lab, 'worker-1');
    expect(await ssh('root', second!.address, 'echo back')).toBe('back');
  });

  it('cut and restore the link of one host', async () => {
    await faults.cutLink(lab, 'worker-1');
    expect(await sshGreets(second!.address)).toBe(false);
    expect(await sshGreets(first!.address)).toBe(true);
    await faults.restoreLink(lab, 'worker-1');
    await expect.poll(() => sshGreets(second!.address), { timeout: 20_000 }).toBe(true);
  });

  it('lose all packets of one host, which goes on seeing its link', async () => {
    await faults.silenceLink(lab, 'worker-1');
    expect([await sshGreets(first!.address), await sshGreets(second!.address)]).toEqual([true, false]);
    const reaches = ['ping', '-q', '-c1', '-W1', second!.address];
    expect((await faults.execInHost(lab, 'cp-1', reaches)).code).not.toBe(0);
    const carrier = await faults.execInHost(lab, 'worker-1', ['cat', '/sys/class/net/host0/carrier']);
    expect(carrier.stdout.trim()).toBe('1');
    await faults.healPartition(lab);
    expect(await sshGreets(second!.address)).toBe(true);
  });

  it('divide the hosts into groups that do not reach each other', async () => {
    const reaches = async (from: string, address: string) =>
      (await faults.execInHost(lab, from, ['ping', '-q', '-c1', '-W1', address])).code === 0;
    await faults.partition(lab, [['cp-1'], ['worker-1']]);
    expect(await reaches('cp-1', second!.address)).toBe(false);
    expect(await reaches('worker-1', first!.address)).toBe(false);
    expect([await sshGreets(first!.address), await sshGreets(second!.address)]).toEqual([true, true]);
    await expect(faults.partition(lab, [['cp-1'], ['no-such-host']])).rejects.toThrow(/no host called no-such-host/);
    await faults.partition(lab, [['cp-1', 'worker-1']]);
    expect(await reaches('cp-1', second!.address)).toBe(true);
    await faults.partition(lab, [['worker-1'], ['cp-1']]);
    expect(await reaches('cp-1', second!.address)).toBe(false);
    await faults.healPartition(lab);
    await faults.healPartition(lab);
    expect(await reaches('cp-1', second!.address)).toBe(true);
  });

  it('reboot a host, and pull its plug: the disk stays', async () => {
    const mark = async (): Promise<string> =>
      (await faults.execInHost(lab, 'worker-1', ['sh', '-c', 'cat /root/mark; stat -c %Y /proc/1'])).stdout;
    await faults.execInHost(lab, 'worker-1', ['sh', '-c', 'echo here > /root/mark']);
    const bootId = async (): Promise<string> => ssh('root', second!.address, 'cat /proc/sys/kernel/random/boot_id');
    const ids = [await bootId()];
    await faults.rebootHost(lab, 'worker-1');
    ids.push(await bootId());
    await faults.powerOff(lab, 'worker-1');
    expect(await sshGreets(second!.address)).toBe(false);
    await faults.powerOn(lab, 'worker-1');
    ids.push(await bootId());
    expect(new Set(ids).size).toBe(3);
    expect(await mark()).toMatch(/^here/);
    expect((await labStatus(lab.name))?.up).toBe(true);
  });

  it('fill a folder and give it back', async () => {
    await faults.fillDisk(lab, 'worker-1', '/var/lib/full');
    const write = ['dd', 'if=/dev/zero', 'of=/var/lib/full/x', 'bs=1M', 'count=1'];
    expect((await faults.execInHost(lab, 'worker-1', write)).stderr).toContain('No space left');
    await faults.restoreDisk(lab, 'worker-1', '/var/lib/full');
  });
});

describe('up and down', () => {
  // Named after this run's lab, so that two runs do not meet.
  const name = lab.name.replace('kwt', 'kwk');
  const other = labPaths(name);
  afterAll(() => labDown(name));

  const leftovers = async (): Promise<string[]> => [
    ...(await mounts()).map(({ path }) => path).filter((path) => path.startsWith(`${other.stateDir}/`)),
    ...(await cgroupsNamed(`kwlab-${name}-`)),
    ...((await linkExists(other.bridge)) ? [other.bridge] : []),
    ...((await linkExists(hostPaths(other, 0).veth)) ? [hostPaths(other, 0).veth] : []),
    ...((await tryRun(['nft', 'list', 'table', 'ip', other.nftTable])).code === 0 ? [other.nftTable] : []),
    ...(existsSync(other.stateDir) ? [other.stateDir] : []),
  ];

  /** Runs `up` as a process and kills it as soon as a mount of its host exists. */
  const killedUp = async (): Promise<void> => {
    const main = join(import.meta.dirname, '../../lab/main.ts');
    const argv = [main, 'up', '--name', name, '--hosts', '1', '--no-mirror'];
    const child = spawn(process.execPath, argv, { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    while (child.exitCode === null && !(await mounts()).some(({ path }) => path.startsWith(`${other.hostsDir}/`)))
      await sleep(5);
    child.kill('SIGKILL');
    await ended;
    expect(await leftovers()).not.toEqual([]);
  };

  it('takes down what a killed run left, without a trace', async () => {
    await killedUp();
    await labDown(name);
    expect(await leftovers()).toEqual([]);
  });

  it('brings up a lab over what a killed run left, beside the other lab, and finds it again', async () => {
    await killedUp();
    const made = await labUp({ name, hosts: 1, mirror: false });
    expect(made.subnet).not.toBe(lab.subnet);
    expect(await labUp({ name, hosts: 1, mirror: false })).toEqual(made);
    expect((await labStatus(lab.name))?.up).toBe(true);
  });

  it('adds hosts to a standing lab, and refuses to take some away', async () => {
    const [before] = (await labUp({ name, hosts: 1, mirror: false })).hosts;
    const grown = await labUp({ name, hosts: 2, mirror: false });
    expect(grown.hosts.map((host) => host.name)).toEqual(['cp-1', 'worker-1']);
    expect(grown.hosts[0]).toEqual(before);
    await expect(labUp({ name, hosts: 1, mirror: false })).rejects.toMatchObject({ code: 'CONFLICT' });
    // Hosts that stand keep their addresses, also where a new one comes before them in the spec.
    const hosts = { 'control-plane': 1, 'load-balancer': 1, worker: 1, spare: 1 };
    const balanced = await labUp({ name, hosts, mirror: false });
    expect(balanced.hosts.map((host) => host.name)).toEqual(['cp-1', 'lb-1', 'worker-1', 'spare-1']);
    expect([balanced.hosts[0], balanced.hosts[2]]).toEqual(grown.hosts);
    expect(balanced.hosts.map(({ address }) => address)).not.toContain(balanced.virtualAddress);
    expect(new Set(balanced.hosts.map(({ address }) => address)).size).toBe(4);
    await labDown(name);
    expect(await leftovers()).toEqual([]);
  });

  it('prints one JSON line on standard output', async () => {
    const main = join(import.meta.dirname, '../../lab/main.ts');
    const argv = [main, 'up', '--name', lab.name, '--hosts', '2', '--no-mirror', '--json'];
    const { stdout } = await run(process.execPath, argv);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(stdout)).toEqual(lab);
    expect(await readFile(lab.users.operator.passwordFile, 'utf8')).toMatch(/^\S{20}$/);
  });
});
