import { type ResidueResource, residue } from '../../resources/residue.ts';
import type { FLANNEL_BACKENDS } from './config.ts';

/** Links that flanneld makes, by backend. */
const LINKS: Readonly<Record<(typeof FLANNEL_BACKENDS)[number], readonly string[]>> = {
  vxlan: ['flannel.1', 'flannel-v6.1'],
  'host-gw': [],
  udp: ['flannel0'],
};

/** Links of the backends that are not chosen: flanneld leaves them where they are when it starts with another one. */
export function otherBackendsLinks(backend: (typeof FLANNEL_BACKENDS)[number]): ResidueResource {
  const others = Object.values(LINKS)
    .flat()
    .filter((link) => !LINKS[backend].includes(link));
  const forEach = (command: string) =>
    `for kw_link in ${others.join(' ')}; do [ ! -e "/sys/class/net/$kw_link" ] || ${command}; done`;
  return residue('flannel-backends', {
    find: forEach('echo "link $kw_link"'),
    remove: forEach('ip link delete "$kw_link" || [ ! -e "/sys/class/net/$kw_link" ] || exit 1'),
  });
}
