import { internalAddress } from '../../../contracts/cluster.ts';
import type { Change } from '../../../contracts/operation.ts';
import { CURL } from '../../host/direct.ts';
import type { PhaseRun } from '../phase.ts';
import type { BalancerOptions } from './options.ts';
import { CA, HEALTH_CLIENT } from './paths.ts';
import { balancersOf, portOf, virtualAddress } from './topology.ts';

/**
 * The host is about to leave: keepalived stops, which says so to the others (priority 0), and one of them has the address before
 * they forget this one. Where no other balancer leads to a ready API server, the address stays and QUORUM_WOULD_BREAK is thrown.
 */
export async function handOver({ cluster, host, options, remote, fail }: PhaseRun<BalancerOptions>): Promise<Change[]> {
  const address = virtualAddress(cluster, options);
  if (address === null) return [];
  const others = balancersOf(cluster).filter(({ name }) => name !== host.name);
  const { code, stdout, stderr } = await remote.script(
    HAND_OVER,
    [address, String(portOf(cluster)), ...others.map(internalAddress)],
    { okCodes: 'any', timeoutMs: 90_000 },
  );
  if (code !== 0) {
    const names = others.map(({ name }) => name).join(', ') || 'there is none';
    fail(
      'QUORUM_WOULD_BREAK',
      `${host.name} cannot hand ${address} over to another load balancer (${names})`,
      stderr.trim().slice(-1000),
    );
  }
  if (stdout.trim() === '') return [];
  return [{ resource: 'service:keepalived', action: 'update', detail: `stop, disable: ${stdout.trim()}` }];
}

/** `<address> <port> <address of another balancer>...`. Prints what it did; nothing where keepalived does not run. */
const HAND_OVER = `
address=$1 port=$2
shift 2
ready() {
  code=$(${CURL} -s -m 3 -o /dev/null -w '%{http_code}' --cacert ${CA} --cert ${HEALTH_CLIENT}.crt --key ${HEALTH_CLIENT}.key --connect-to "::$1:$port" "https://kubernetes:$port/readyz")
  [ "$code" = 200 ]
}
systemctl is-active --quiet keepalived.service || exit 0
other=
for each; do ! ready "$each" || { other=$each; break; }; done
[ -n "$other" ] || { echo "no other balancer leads to an API server that is ready; asked: \${*:-none}" >&2; exit 1; }
systemctl disable --quiet --now keepalived.service
tries=0
while [ -n "$(ip -4 -oneline address show to "$address")" ] || ! ready "$address"; do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || { echo "$address does not answer at another balancer" >&2; exit 1; }
  sleep 0.2
done
echo "another balancer has $address"
`;
