import { internalAddress } from '../../../../contracts/cluster.ts';
import { ipv4 } from '../../../../contracts/primitives.ts';
import { NODE_FILES } from '../../../kube/node-files.ts';
import { API_SERVER_PORT } from '../../../kube/paths.ts';
import { clientHello, describeCertificate, greetingOf, isApiServer, TLS_HELLO } from '../../../kube/tls-hello.ts';
import type { RequiredEndpoint } from '../../requires.ts';
import { type CheckHost, type CheckInput, defineCheck, type Problem } from '../check.ts';

type Code = 'ENDPOINT_UNRESOLVED' | 'ENDPOINT_UNREACHABLE' | 'ENDPOINT_LEADS_ELSEWHERE';

const endpointOf = ({ requirements }: CheckHost): RequiredEndpoint | undefined =>
  requirements.find(({ endpoint }) => endpoint !== undefined)?.endpoint;

/** TLS alert protocol_version: the server has other versions of TLS only. */
const OTHER_VERSION = 70;

/** What is wrong with the server at one address; null: nothing, or nothing that shows before the API servers run. */
function wrongServer(
  { cluster, storedCa }: CheckInput,
  { port }: RequiredEndpoint,
  address: string,
  [outcome = '', ...hex]: readonly string[],
): { code: Code; why: string } | null {
  const elsewhere = (why: string) => ({ code: 'ENDPOINT_LEADS_ELSEWHERE' as const, why });
  if (address.startsWith('127.')) return elsewhere('that is the host itself');
  if (outcome === 'silent' || outcome === 'unreachable') {
    const why = outcome === 'silent' ? 'no answer within 5 s' : 'no route to it';
    return { code: 'ENDPOINT_UNREACHABLE', why };
  }
  if (outcome === 'refused') {
    const host = cluster.spec.hosts.find((each) => each.address === address || internalAddress(each) === address);
    if (!host || (host.roles.includes('control-plane') && port === API_SERVER_PORT)) return null;
    const what = host.roles.includes('control-plane')
      ? `its API server has port ${API_SERVER_PORT}`
      : 'no control plane';
    return elsewhere(`that is the host ${host.name} of the cluster, ${what}, and nothing listens on port ${port}`);
  }
  const greeting = greetingOf(hex.join(''));
  if (greeting.kind === 'other') return elsewhere(`what answers is no API server: ${greeting.text}`);
  if (greeting.kind === 'alert') {
    // Flags may limit an API server to TLS 1.3: phase external asks again before nodes use the endpoint.
    return greeting.code === OTHER_VERSION
      ? null
      : elsewhere(`what answers is no API server: TLS alert ${greeting.code}`);
  }
  // A balancer without a server that is up.
  if (greeting.kind === 'nothing') return null;
  const { certificate } = greeting;
  if (storedCa && isApiServer(certificate, storedCa)) return null;
  const own = !storedCa
    ? 'this cluster has no certificates yet'
    : 'its certificate is not that of an API server of this cluster';
  return elsewhere(`another server answers, ${own}: ${describeCertificate(certificate)}`);
}

export default defineCheck({
  name: 'endpoint',
  about: 'network',
  title: 'External endpoint',
  inspects:
    'With an external endpoint, on control planes and workers that do not use it yet: its name has an IPv4 address (`getent ahostsv4`), each address takes connections or refuses them, and what answers a TLS greeting has a certificate of this cluster. A balancer that closes the connection, for no API server is up, is right. Phase `external` asks again, before nodes use the endpoint.',
  codes: ['ENDPOINT_UNRESOLVED', 'ENDPOINT_UNREACHABLE', 'ENDPOINT_LEADS_ELSEWHERE'],
  probe: {
    script: `
host=$1 port=$2 hello=$3
if grep -qsx " *server: https://$host:$port" "$4"; then
  say in-use
  return
fi
${TLS_HELLO}
addresses=$(timeout 10 getent ahostsv4 "$host" | cut -d ' ' -f 1 | sort -u | head -n 8)
say addresses $addresses
for address in $addresses; do
  { set -- $(kw_hello "$address" "$port" "$hello"); say "$address" "$1" $(printf %s "\${2:-}" | fold -w 4000); } &
done
wait`,
    args(of) {
      const endpoint = endpointOf(of);
      if (endpoint === undefined) return null;
      const { host, port } = endpoint;
      return [host, String(port), clientHello(host), NODE_FILES.kubeletKubeconfig];
    },
  },
  evaluate(of, rows): Problem<Code>[] {
    const endpoint = endpointOf(of)!;
    const [[first = '', ...addresses] = [], ...answers] = rows;
    if (first !== 'addresses') return [];
    const place = `${endpoint.host}:${endpoint.port}`;
    const asked = `${endpoint.field}; asked from ${of.host.name}`;
    if (addresses.length === 0) {
      const message = `the endpoint ${endpoint.host} has no IPv4 address`;
      return [
        { code: 'ENDPOINT_UNRESOLVED', message, evidence: `getent ahostsv4 ${endpoint.host}: nothing; ${asked}` },
      ];
    }
    return answers
      .toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1))
      .flatMap(([address = '', ...answer]) => {
        const wrong = wrongServer(of, endpoint, address, answer);
        if (!wrong) return [];
        const where = ipv4.safeParse(endpoint.host).success ? place : `${place} (${address})`;
        const verb = wrong.code === 'ENDPOINT_UNREACHABLE' ? 'cannot be reached' : 'leads elsewhere';
        return [{ code: wrong.code, message: `the endpoint ${where} ${verb}`, evidence: `${wrong.why}; ${asked}` }];
      });
  },
});
