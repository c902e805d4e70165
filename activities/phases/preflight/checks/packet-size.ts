import { kubeHosts } from '../../../../contracts/cluster.ts';
import { internalIpv4 } from '../../../kube/network.ts';
import { PACKETS_FUNCTION } from '../../../kube/packet-size.ts';
import { runsPods } from '../../placement.ts';
import { type CheckHost, defineCheck } from '../check.ts';

/** Other nodes that one node asks: the next ones in the spec, so that together they ask all. */
const NEIGHBOURS = 20;

/** The packets that have to pass, and the nodes that are asked: name and IPv4 address. */
function wantedOf({ cluster, host, requirements }: CheckHost) {
  const [packets] = requirements.flatMap((each) => each.packets ?? []).sort((a, b) => b.bytes - a.bytes);
  if (!packets || !runsPods(host)) return null;
  const nodes = kubeHosts(cluster);
  const own = nodes.findIndex(({ name }) => name === host.name);
  const peers = [...nodes.slice(own + 1), ...nodes.slice(0, own)].slice(0, NEIGHBOURS).flatMap((each) => {
    const address = internalIpv4(each);
    return address === undefined ? [] : [{ name: each.name, address }];
  });
  return peers.length === 0 ? null : { packets, peers };
}

export default defineCheck({
  name: 'packet-size',
  about: 'network',
  title: 'Size of packets between nodes',
  inspects: `Where \`spec.network.mtu\` is given: packets of that size and the overhead of the pod network reach ${NEIGHBOURS} other nodes with "do not fragment" (\`ping -M do\`). Before a size counts as lost, the path MTUs that the kernel remembers are removed (\`ip route flush cache\`), the one thing that preflight changes. Nodes that answer no echo are not judged.`,
  codes: ['MTU_TOO_LARGE'],
  probe: {
    script: `
${PACKETS_FUNCTION}
bytes=$1
shift
for peer; do
  { found=$(packets "$peer" "$bytes"); [ -z "$found" ] || say "$peer" "\${found%% *}" "\${found#* }"; } &
done
wait`,
    args(of) {
      const wanted = wantedOf(of);
      return wanted && [String(wanted.packets.bytes), ...wanted.peers.map(({ address }) => address)];
    },
  },
  evaluate(of, rows) {
    const wanted = wantedOf(of);
    if (!wanted) return [];
    const { bytes, what } = wanted.packets;
    const found = new Map(rows.map(([address = '', largest = '', why = '']) => [address, { largest, why }]));
    const failed = wanted.peers.flatMap(({ name, address }) => {
      const answer = found.get(address);
      return answer ? [{ name, address, ...answer }] : [];
    });
    const [first] = failed;
    if (!first) return [];
    return [
      {
        code: 'MTU_TOO_LARGE' as const,
        message: `packets of ${bytes} bytes (${what}) do not pass from ${of.host.name} to ${first.name}: the largest that passes has ${first.largest} bytes`,
        evidence: failed
          .map(
            ({ name, address, largest, why }) =>
              `${name} (${address}): ${largest} of ${bytes} bytes pass; ${why.trim() === '' ? 'larger ones are lost without an answer' : why}`,
          )
          .join('\n'),
      },
    ];
  },
});
