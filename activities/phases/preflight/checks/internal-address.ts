import { internalAddress } from '../../../../contracts/cluster.ts';
import { ipv4 } from '../../../../contracts/primitives.ts';
import { defineCheck } from '../check.ts';

export default defineCheck({
  name: 'internal-address',
  about: 'network',
  title: 'Internal address',
  inspects:
    'The IPv4 addresses of every host (`ip addr`), and the address of its `internalAddress` when that is a name.',
  codes: ['NETWORK_UNREACHABLE'],
  probe: {
    script: `
ip -o -4 addr show 2>/dev/null | while read -r _ _ _ address _; do say address "\${address%/*}"; done
case $1 in
  *[!0-9.]*) getent ahostsv4 "$1" 2>/dev/null | { read -r address _ && say resolved "$address"; } ;;
esac`,
    args: ({ host }) => [internalAddress(host)],
  },
  evaluate({ host }, rows) {
    const of = (kind: string) => rows.flatMap(([what, value]) => (what === kind && value ? [value] : []));
    const addresses = of('address');
    const own = internalAddress(host);
    const address = ipv4.safeParse(own).success ? own : (of('resolved')[0] ?? null);
    if (addresses.length === 0 || (address !== null && addresses.includes(address))) return [];
    const meant = address === own ? '' : ` (${address ?? 'does not resolve'})`;
    return [
      {
        code: 'NETWORK_UNREACHABLE',
        message: 'the host does not have its internal address: set internalAddress',
        evidence: `internalAddress ${own}${meant}; its addresses: ${addresses.join(', ')}`,
      },
    ];
  },
});
