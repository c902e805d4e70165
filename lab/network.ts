import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from './lock.ts';
import { type LabPaths, MACHINE_STATE } from './paths.ts';
import { run, tryRun } from './run.ts';
import { gatewayAddress, releaseSubnets } from './subnet.ts';
import { raiseSysctls, restoreSysctls } from './sysctls.ts';

const LEAST_MTU = 1280;
/** Held while a network is made or removed: the last lab's `down` must not take the settings from one that comes up. */
const LOCK = join(MACHINE_STATE, 'network.lock');
const LOCK_WAIT_MS = 60_000;

/** Bridge, masquerading and forwarding for one lab, and the machine's settings. Safe to repeat: what is right already stays. */
export function ensureNetwork(lab: LabPaths, subnet: string, mtu: number): Promise<void> {
  return withLock(LOCK, LOCK_WAIT_MS, () => makeNetwork(lab, subnet, mtu));
}

async function makeNetwork(lab: LabPaths, subnet: string, mtu: number): Promise<void> {
  const { bridge, nftTable: table } = lab;
  if (!(await linkExists(bridge))) await run(['ip', 'link', 'add', bridge, 'type', 'bridge']);
  await run(['ip', 'link', 'set', bridge, 'mtu', String(mtu), 'up']);
  await run(['ip', 'address', 'replace', `${gatewayAddress(subnet)}/24`, 'dev', bridge]);
  // Adding and deleting the table first makes the transaction a replacement, whether it was there or not.
  const rules = `
add table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${subnet} oifname != "${bridge}" masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "${bridge}" accept
    oifname "${bridge}" accept
  }
}
`;
  await run(['nft', '-f', '-'], { input: rules });
  await openDockerForwarding(bridge);
  await raiseSysctls();
}

/** Removes everything that `ensureNetwork` made, in whatever state; the last lab restores the machine's settings. */
export async function removeNetwork(lab: LabPaths): Promise<void> {
  await withLock(LOCK, LOCK_WAIT_MS, async () => {
    await tryRun(['nft', 'delete', 'table', 'ip', lab.nftTable]).catch(() => null);
    await removePartition(lab);
    await closeDockerForwarding(lab.bridge);
    if (await linkExists(lab.bridge)) await run(['ip', 'link', 'delete', lab.bridge]);
    await releaseSubnets(lab.name);
    if (!(await anyBridge())) await restoreSysctls();
  });
}

/** Removes what divides the lab's hosts (faults.ts), where there is such a table. */
export async function removePartition(lab: LabPaths): Promise<void> {
  await tryRun(['nft', 'delete', 'table', 'bridge', lab.nftTable]).catch(() => null);
}

/** The largest packet that gets out of this machine unfragmented; what hosts use, too. */
export async function uplinkMtu(): Promise<number> {
  const { stdout } = await run(['ip', '-json', '-4', 'route', 'show', 'default']);
  const [route] = JSON.parse(stdout || '[]') as { dev?: string }[];
  if (route?.dev === undefined) return 1500;
  const text = await readFile(`/sys/class/net/${route.dev}/mtu`, 'utf8').catch(() => '1500');
  return Math.min(1500, Math.max(LEAST_MTU, Number(text)));
}

export async function linkExists(name: string): Promise<boolean> {
  return (await tryRun(['ip', 'link', 'show', 'dev', name])).code === 0;
}

/** Removes a veth that a killed host left. */
export async function removeLink(name: string): Promise<void> {
  // It may vanish by itself in between, with the network namespace of the host that was just killed.
  if (await linkExists(name)) await tryRun(['ip', 'link', 'delete', name]);
}

async function anyBridge(): Promise<boolean> {
  const { stdout } = await run(['ip', '-json', 'link', 'show', 'type', 'bridge']);
  return (JSON.parse(stdout || '[]') as { ifname?: string }[]).some(({ ifname }) => ifname?.startsWith('kwb-'));
}

/** Docker drops what it does not know in the FORWARD chain; an accept in a chain of ours cannot undo that. */
async function openDockerForwarding(bridge: string): Promise<void> {
  const chain = await tryRun(['iptables', '-w', '-S', 'FORWARD']).catch(() => null);
  if (!chain?.stdout.startsWith('-P FORWARD DROP')) return;
  for (const side of ['-i', '-o']) {
    if (chain.stdout.includes(`-A FORWARD ${side} ${bridge} -j ACCEPT`)) continue;
    await run(['iptables', '-w', '-I', 'FORWARD', side, bridge, '-j', 'ACCEPT']);
  }
}

async function closeDockerForwarding(bridge: string): Promise<void> {
  const chain = await tryRun(['iptables', '-w', '-S', 'FORWARD']).catch(() => null);
  for (const line of chain?.stdout.split('\n') ?? []) {
    if (line !== `-A FORWARD -i ${bridge} -j ACCEPT` && line !== `-A FORWARD -o ${bridge} -j ACCEPT`) continue;
    await tryRun(['iptables', '-w', ...line.replace('-A', '-D').split(' ')]);
  }
}
