import ipaddr from 'ipaddr.js';
import { type ClusterSpec, hostsWithRole, internalAddress } from '../../../../contracts/cluster.ts';
import type { Host } from '../../../../contracts/host.ts';
import { cidrContains } from '../../../../contracts/primitives.ts';
import { dnsServiceAddress } from '../../../kube/network.ts';
import { CHOOSE_RESOLV_CONF, RESOLV_CONFS } from '../../../kube/resolv-conf.ts';
import { isTable } from '../../option-types.ts';
import { rawPhaseOptions } from '../../options.ts';
import { runsPods } from '../../placement.ts';
import { defineCheck } from '../check.ts';

/** The file of the option `resolvConf`; empty: the kubelet takes what `choose-resolv-conf` finds at each start. */
function named({ cluster, host }: { cluster: ClusterSpec; host: Host }): string {
  const { kubelet } = rawPhaseOptions(cluster, 'nodes', host);
  const at = (key: string) => (isTable(kubelet) && isTable(kubelet[key]) ? kubelet[key] : {});
  const value = at('extraArgs')['resolv-conf'] ?? at('config')['resolvConf'];
  return typeof value === 'string' ? value : '';
}

/** `spec.phases.dns.upstream`, as the phase reads it. */
function upstreamOf(cluster: ClusterSpec): readonly string[] | 'none' {
  const { upstream } = rawPhaseOptions(cluster, 'dns', hostsWithRole(cluster, 'control-plane')[0]);
  if (upstream === 'none') return upstream;
  return Array.isArray(upstream) ? upstream.filter((each) => typeof each === 'string') : [];
}

/** What is wrong with a name server. `loops`: questions come back, which ends CoreDNS; others are passed over by it. */
interface Fault {
  why: string;
  loops: boolean;
}

/** Null: cluster DNS may ask it. */
function faultOf(cluster: ClusterSpec, server: string): Fault | null {
  const { podCidr, serviceCidr } = cluster.spec.network;
  // Without the zone of a link-local address.
  const text = server.replace(/%.*/, '');
  if (!ipaddr.isValid(text)) return { why: `${server} is no address`, loops: false };
  const address = ipaddr.process(text);
  const range = address.range();
  if (range === 'loopback' || range === 'unspecified') {
    return { why: `${server} is, inside a pod, the pod itself`, loops: true };
  }
  if (address.kind() === 'ipv6') return { why: `${server} is IPv6, and pods have IPv4 addresses`, loops: false };
  if (server === dnsServiceAddress(cluster)) return { why: `${server} is cluster DNS itself`, loops: true };
  for (const [what, cidr] of [
    ['services', serviceCidr],
    ['pods', podCidr],
  ] as const) {
    if (cidrContains(cidr, text)) return { why: `${server} is in the range of ${what}, ${cidr}`, loops: false };
  }
  return null;
}

const problem = (message: string, evidence: string) => ({ code: 'RESOLV_CONF_UNUSABLE' as const, message, evidence });

export default defineCheck({
  name: 'resolv-conf',
  about: 'network',
  title: 'Name servers',
  inspects: `The name servers that cluster DNS uses, on control planes and workers: \`spec.phases.dns.upstream\`, else those of the file that the kubelet gives to pods (the first of ${RESOLV_CONFS.join(', ')} without a server on loopback): no loopback, no address of the cluster's own ranges, at least one in IPv4, and one on the host itself listens.`,
  codes: ['RESOLV_CONF_UNUSABLE'],
  probe: {
    script: `
chosen=$1
if [ -z "$chosen" ]; then
${CHOOSE_RESOLV_CONF}
fi
if [ ! -r "$chosen" ]; then
  chosen=\${chosen:-/etc/resolv.conf}
  say missing "$chosen" "$(readlink -- "$chosen")"
  return 0
fi
say file "$chosen" "$(readlink -f -- "$chosen")"
grep -nE '^[[:space:]]*nameserver[[:space:]]' "$chosen" | head -n 20 | while read -r line server _; do
  say nameserver "\${line%%:*}" "$server"
done
command -v ss >/dev/null || { say listens '*'; return 0; }
ss -H -l -u -n 'sport = :53' 2>/dev/null | head -n 50 | while read -r _ _ _ local _; do say listens "\${local%:53}"; done`,
    args: (of) => (runsPods(of.host) ? [named(of)] : null),
  },
  evaluate({ cluster, host }, rows) {
    const upstream = upstreamOf(cluster);
    if (upstream === 'none') return [];
    if (upstream.length > 0) {
      return upstream.flatMap((server) => {
        const fault = faultOf(cluster, server);
        if (fault === null) return [];
        return [problem(`cluster DNS cannot ask its upstream: ${fault.why}`, `spec.phases.dns.upstream: ${server}`)];
      });
    }
    const [, missing, target = ''] = rows.find(([word]) => word === 'missing') ?? [];
    if (missing !== undefined) {
      const link = target === '' ? 'no such file' : `a link to ${target}, which is not there`;
      return [problem(`${missing} cannot be read`, `${missing}: ${link}`)];
    }
    const [, file, real = file] = rows.find(([word]) => word === 'file') ?? [];
    if (file === undefined) return [];
    const place = real === file ? file : `${file} (${real})`;
    const servers = rows.flatMap(([word, line = '', server = '']) => (word === 'nameserver' ? [{ line, server }] : []));
    const listening = rows.flatMap(([word, address = '']) => (word === 'listens' ? [address.replace(/%.*/, '')] : []));
    const own = internalAddress(host);
    const unreachable = !['*', '0.0.0.0', '[::]', own].some((each) => listening.includes(each));
    const judged = servers.map(({ line, server }) => {
      const why = `nothing listens on port 53 of ${server}, the host itself`;
      const fault = faultOf(cluster, server) ?? (server === own && unreachable ? { why, loops: false } : null);
      return { line, server, fault };
    });
    const useful = judged.some(({ fault }) => fault === null);
    const first = judged.find(({ fault }) => fault?.loops) ?? (useful ? undefined : judged[0]);
    if (first?.fault) {
      return [
        problem(
          `cluster DNS cannot ask the name servers of the host: ${first.fault.why}`,
          `${place}, line ${first.line}: nameserver ${first.server}`,
        ),
      ];
    }
    if (servers.length > 0) return [];
    return [problem('the host has no name server', `${place}: no line with nameserver`)];
  },
});
