import { cidrContains } from '../../contracts/primitives.ts';
import type { HostNetwork } from '../host/types.ts';

/** The interface whose network has the address, the narrowest; the virtual address itself is no network. Pure. */
export function linkOf(networks: readonly HostNetwork[], address: string): string | undefined {
  const fitting = networks.filter((each) => each.bits < 32 && cidrContains(`${each.address}/${each.bits}`, address));
  return fitting.sort((a, b) => b.bits - a.bits)[0]?.link;
}
