import { OURS } from '../../../leftovers/scripts.ts';
import { type CheckHost, defineCheck } from '../check.ts';

/** The links of each phase, one argument a phase: its unit, then their names. */
const linksOf = ({ requirements }: CheckHost) => requirements.flatMap(({ ownLinks }) => ownLinks ?? []);

export default defineCheck({
  name: 'link-names',
  about: 'network',
  title: 'Names of links',
  inspects:
    'Links of the names that a phase gives to its own ([phases.md](phases.md)), on hosts where its unit has not been placed yet.',
  codes: ['LINK_NAME_TAKEN'],
  probe: {
    script: `
${OURS}
for each; do
  set -- $each
  ours "$1.service" && continue
  shift
  for name; do
    [ -e "/sys/class/net/$name" ] || [ -L "/sys/class/net/$name" ] || continue
    link=$(ip -o -d link show dev "$name" 2>/dev/null | head -n 1 | tr '\\\\\t' '  ')
    say "$name" "\${link:-a link of this name}" "$(ip -o -4 address show dev "$name" 2>/dev/null | awk '{ print $4 }' | tr '\\n' ' ')"
  done
done`,
    args: (of) => {
      const links = linksOf(of);
      return links.length === 0 ? null : links.map(({ unit, names }) => [unit, ...names].join(' '));
    },
  },
  evaluate(of, rows) {
    return rows.map(([name = '', link = '', addresses = '']) => {
      const what = linksOf(of).find(({ names }) => names.includes(name))?.what ?? 'the pod network';
      return {
        code: 'LINK_NAME_TAKEN' as const,
        message: `the host has a link ${name}, a name that ${what} needs for its own`,
        evidence: `ip link: ${link.replaceAll(/ +/g, ' ').slice(0, 400)}; ${addresses.trim() === '' ? 'no IPv4 address' : addresses.trim()}`,
      };
    });
  },
});
