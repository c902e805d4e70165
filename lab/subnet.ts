import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KubewrightError } from '../contracts/errors.ts';
import { cidrContains, cidrsOverlap } from '../contracts/primitives.ts';
import { nameservers, resolvConf } from './machine.ts';
import { MACHINE_STATE } from './paths.ts';
import { run } from './run.ts';

const RESERVATIONS = join(MACHINE_STATE, 'subnets');
/** Private ranges by preference: first those that neither clusters' default networks nor Docker use. */
const RANGES = ['10.87', '10.88', '10.89', '172.29', '192.168'];

/**
 * Reserves a /24 that nothing on this machine routes or resolves through, and returns it as CIDR. The one that the lab
 * held before is taken again when it still is free.
 */
export async function reserveSubnet(lab: string, before: string | null): Promise<string> {
  await mkdir(RESERVATIONS, { recursive: true });
  const routed = await routedNetworks();
  const resolvers = nameservers(await resolvConf());
  const candidates = RANGES.flatMap((range) => Array.from({ length: 254 }, (_, n) => `${range}.${n + 1}.0/24`));
  for (const subnet of before === null ? candidates : [before, ...candidates]) {
    if (routed.some((network) => cidrsOverlap(network, subnet))) continue;
    if (resolvers.some((ip) => /^\d+\./.test(ip) && cidrContains(subnet, ip))) continue;
    if (await reserve(subnet, lab)) return subnet;
  }
  throw new KubewrightError('LAB_FAILED', 'no free private network is left for the lab on this machine');
}

/** Gives back all networks reserved for a lab. */
export async function releaseSubnets(lab: string): Promise<void> {
  for (const name of await readdir(RESERVATIONS).catch(() => [])) {
    const file = join(RESERVATIONS, name);
    if ((await readFile(file, 'utf8').catch(() => null)) === lab) await rm(file, { force: true });
  }
}

/** The address of host number `index` (from 0) in a lab's network; `.1` is the gateway. */
export function hostAddress(subnet: string, index: number): string {
  return subnet.replace(/\.0\/24$/, `.${11 + index}`);
}

/** An address in a lab's network that no host has: the endpoint of its API servers, which balancers hand to each other. */
export function virtualAddress(subnet: string): string {
  return subnet.replace(/\.0\/24$/, '.9');
}

export function gatewayAddress(subnet: string): string {
  return subnet.replace(/\.0\/24$/, '.1');
}

/** Creating the file is the reservation: two labs that start together cannot both succeed. */
async function reserve(subnet: string, lab: string): Promise<boolean> {
  const file = join(RESERVATIONS, subnet.replace('/', '_'));
  try {
    await writeFile(file, lab, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return (await readFile(file, 'utf8').catch(() => null)) === lab;
  }
}

async function routedNetworks(): Promise<string[]> {
  const { stdout } = await run(['ip', '-json', '-4', 'route', 'show', 'table', 'all']);
  const routes = JSON.parse(stdout || '[]') as { dst: string }[];
  return routes
    .map(({ dst }) => dst)
    .filter((dst) => dst !== 'default' && /^\d/.test(dst))
    .map((dst) => (dst.includes('/') ? dst : `${dst}/32`));
}
