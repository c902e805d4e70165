import { linkOf } from '../../links.ts';
import { type RequiredVirtualAddress } from '../../requires.ts';
import { type CheckHost, defineCheck } from '../check.ts';

/** The addresses that this host is to share. */
const addressesOf = ({ requirements }: CheckHost): RequiredVirtualAddress[] =>
  requirements.flatMap(({ virtualAddresses = [] }) => virtualAddresses);

export default defineCheck({
  name: 'virtual-address',
  about: 'network',
  title: 'Virtual address of load balancers',
  inspects:
    'The virtual address, on load balancers that do not share it yet: it lies in a network of an interface of the host (`ip -4 addr`), and no other machine answers for it (ARP). Load balancers of the cluster that hold it already are no problem.',
  codes: ['VIP_OUTSIDE_SUBNET', 'VIP_IN_USE'],
  probe: {
    // A datagram makes the kernel ask who has the address; an answer that it remembers from before is dropped first.
    script: `
address=$1 config=$2 unit=$3 holders=$4
ours() { grep -qsx '# Written by Kubewright.' "$1" && grep -qsF " $2/" "$1" && systemctl is-active --quiet "$3" 2>/dev/null; }
if ours "$config" "$address" "$unit"; then say ours; return 0; fi
ip -o -4 addr show scope global 2>/dev/null | while read -r _ link _ network _; do say network "$link" "$network"; done
case $(ip -o -4 addr show to "$address/32" 2>/dev/null) in '') ;; *) say here "$(ip -o -4 addr show to "$address/32" | { read -r _ link _; echo "$link"; })"; return 0 ;; esac
route=$(ip -4 route get "$address" 2>/dev/null | head -n 1)
case $route in '' | *' via '*) return 0 ;; esac
link=\${route#* dev } link=\${link%% *}
ip -4 neigh del "$address" dev "$link" 2>/dev/null
asks='for each; do (exec 3<>"/dev/udp/$each/9" && echo >&3) 2>/dev/null; done'
tries=0 found=
while [ "$tries" -lt 6 ] && [ -z "$found" ]; do
  timeout 2 bash -c "$asks" asks "$address" $holders 2>/dev/null
  sleep 0.3
  tries=$((tries + 1))
  found=$(ip -4 neigh show to "$address" dev "$link" | sed -n 's/.*lladdr \\([0-9a-f:]*\\).*/\\1/p' | head -n 1)
done
[ -n "$found" ] || return 0
say answers "$found" "$link"
for holder in $holders; do
  mac=$(ip -4 neigh show to "$holder" | sed -n 's/.*lladdr \\([0-9a-f:]*\\).*/\\1/p' | head -n 1)
  [ -z "$mac" ] || say holder "$holder" "$mac"
done
ip -4 neigh show | while read -r other _ dev _ mac _; do
  [ "$mac" != "$found" ] || [ "$other" = "$address" ] || say same "$other" "$dev"
done`,
    args(of) {
      const [first] = addressesOf(of);
      if (!first) return null;
      return [first.address, first.config, first.unit, first.holders.join(' ')];
    },
  },
  evaluate(of, rows) {
    const [wanted] = addressesOf(of);
    if (!wanted || rows.some(([word]) => word === 'ours')) return [];
    const { address, link, what } = wanted;
    const list = (word: string) => rows.flatMap(([first, ...rest]) => (first === word ? [rest] : []));
    const networks = list('network').map(([name = '', network = '']) => ({ name, network }));
    const shown = networks.map(({ name, network }) => `${name} ${network}`).join(', ');
    const fitting = networks.flatMap(({ name, network }) => {
      const [own = '', bits = '32'] = network.split('/');
      return link === null || link === name ? [{ link: name, address: own, bits: Number(bits) }] : [];
    });
    if (linkOf(fitting, address) === undefined) {
      const where = link === null ? 'no network of this host' : `no network of ${link}`;
      return [
        {
          code: 'VIP_OUTSIDE_SUBNET' as const,
          message: `the virtual address ${address} of ${what} lies in ${where}`,
          evidence: `ip -4 addr: ${shown || 'no addresses'}`,
        },
      ];
    }
    const [here] = list('here');
    if (here) {
      return [
        {
          code: 'VIP_IN_USE' as const,
          message: `this host has the virtual address ${address} of ${what} already, on ${here[0] ?? ''}`,
          evidence: `ip -4 addr show to ${address}: ${here[0] ?? ''}; it was not put there by Kubewright's ${wanted.unit}`,
        },
      ];
    }
    const [answer] = list('answers');
    if (!answer) return [];
    const [mac = '', through = ''] = answer;
    if (list('holder').some(([, own]) => own === mac)) return [];
    const others = list('same').map(([other]) => other);
    const who = others.length > 0 ? `${mac}, which is also ${others.join(', ')}` : mac;
    return [
      {
        code: 'VIP_IN_USE' as const,
        message: `the virtual address ${address} of ${what} is in use: ${who} answers for it`,
        evidence: `ARP on ${through}: ${address} is at ${who}; the load balancers are ${wanted.holders.join(', ')}`,
      },
    ];
  },
});
