import { type ResidueResource, residue } from '../../resources/residue.ts';
import { ALL_LINKS, backendFacts, type FlannelBackend } from './backends.ts';

/**
 * What other backends made, which flanneld leaves where it is when it starts with another one: their links, and the routes of
 * host-gw, which are more exact than those of a tunnel and would lead past it.
 */
export function otherBackends(backend: FlannelBackend, podCidr: string): ResidueResource {
  const { links, sharesLink } = backendFacts(backend);
  const others = ALL_LINKS.filter((link) => !links.includes(link));
  const forLinks = (command: string) =>
    `for kw_link in ${others.join(' ')}; do [ ! -e "/sys/class/net/$kw_link" ] || ${command}; done`;
  if (sharesLink) return made(forLinks, () => '');
  const own = links.map((link) => `'dev ${link} '*`).join(' | ');
  const forRoutes = (command: string) => `
ip -4 route show root ${podCidr} 2>/dev/null | while read -r kw_to kw_word kw_via kw_rest; do
  [ "$kw_word" = via ] || continue
  case "$kw_rest " in ${own}) ;; *) ${command} ;; esac
done`;
  return made(forLinks, forRoutes);
}

type ForEach = (command: string) => string;

const made = (forLinks: ForEach, forRoutes: ForEach): ResidueResource =>
  residue('flannel-backends', {
    find: forLinks('echo "link $kw_link"') + forRoutes('echo "route $kw_to via $kw_via"'),
    remove:
      forLinks('ip link delete "$kw_link" || [ ! -e "/sys/class/net/$kw_link" ] || exit 1') +
      forRoutes('ip route delete "$kw_to" via "$kw_via" || exit 1'),
  });
