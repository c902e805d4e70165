import { kubeHosts } from '../../../../contracts/cluster.ts';
import { internalIpv4 } from '../../../kube/network.ts';
import { runsPods } from '../../placement.ts';
import { type CheckHost, defineCheck } from '../check.ts';

/** What needs it, and the other nodes: name and IPv4 address. Nodes that are known by a name only are not asked about. */
function linkOf({ cluster, host, requirements }: CheckHost) {
  const what = requirements.flatMap(({ sharesLink }) => sharesLink?.what ?? []).join(', ');
  const peers = kubeHosts(cluster).flatMap((each) => {
    const address = internalIpv4(each);
    return each.name === host.name || address === undefined ? [] : [{ name: each.name, address }];
  });
  return what === '' || !runsPods(host) || peers.length === 0 ? null : { what, peers };
}

export default defineCheck({
  name: 'layer2',
  about: 'network',
  title: 'One layer 2 network of all nodes',
  inspects:
    'The route to each other node (`ip -4 route get`) leads to it without a gateway; on nodes whose pod network has no tunnel.',
  codes: ['LAYER2_NOT_SHARED'],
  probe: {
    script: `
for peer; do
  route=$(ip -4 -o route get "$peer" 2>&1 | head -n 1)
  case $route in
    *' via '*) say "$peer" via "$route" ;;
    *' dev '*) ;;
    *) say "$peer" none "$route" ;;
  esac
done`,
    args: (of) => linkOf(of)?.peers.map(({ address }) => address) ?? null,
  },
  evaluate(of, rows) {
    const link = linkOf(of);
    if (!link) return [];
    const byAddress = new Map(rows.map(([address = '', how = '', route = '']) => [address, { how, route }]));
    const apart = link.peers.flatMap(({ name, address }) => {
      const found = byAddress.get(address);
      if (!found) return [];
      const gateway = / via (\S+)/.exec(found.route)?.[1];
      const way = gateway === undefined ? 'by no route' : `through the gateway ${gateway}`;
      return [{ pair: `${of.host.name} reaches ${name} ${way}`, route: found.route }];
    });
    if (apart.length === 0) return [];
    const few = apart.slice(0, 5).map(({ pair }) => pair);
    const more = apart.length > few.length ? `, and ${apart.length - few.length} more` : '';
    return [
      {
        code: 'LAYER2_NOT_SHARED' as const,
        message: `${link.what} needs all nodes in one layer 2 network: ${few.join(', ')}${more}`,
        evidence: apart.map(({ pair, route }) => `${pair}: ip route get: ${route}`).join('\n'),
      },
    ];
  },
});
