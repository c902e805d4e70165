import { internalAddress } from '../../../contracts/cluster.ts';
import { CURL } from '../../host/direct.ts';
import type { PhaseRun } from '../phase.ts';
import type { BalancerOptions } from './options.ts';
import { BALANCER, CA, HEALTH_CLIENT } from './paths.ts';
import { apiServersOf, portOf, virtualAddress } from './topology.ts';

/**
 * The balancer has its configuration loaded, knows the API servers of the spec and no other, and leads to one that is ready, by
 * the host's own address and by the virtual one, which one of the balancers then holds.
 */
export async function verifyBalancer(run: PhaseRun<BalancerOptions>): Promise<void> {
  const { cluster, host, options, remote, fail, unitJournal } = run;
  const address = virtualAddress(cluster, options);
  const addresses = [internalAddress(host), ...(address === null ? [] : [address])];
  const names = apiServersOf(cluster).map(({ name }) => name);
  const { code, stderr } = await remote.script(
    VERIFY,
    [names.sort().join(' '), String(portOf(cluster)), ...addresses],
    { okCodes: 'any', timeoutMs: 90_000 },
  );
  if (code === 0) return;
  const journals = [`${options.flavour}.service`, ...(address === null ? [] : ['keepalived.service'])];
  const said = await Promise.all(journals.map((unit) => unitJournal(unit, 8)));
  fail(
    'VERIFY_FAILED',
    `the load balancer on ${host.name} does not lead to the API servers`,
    [stderr.trim(), ...said].join('\n'),
  );
}

/** Names of the API servers, the port, then the addresses to come by. */
const VERIFY = `
wanted=$1 port=$2
shift 2
${BALANCER} loaded
tries=0
until [ "$(${BALANCER} states | cut -d ' ' -f 1 | sort | tr '\\n' ' ')" = "$wanted " ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 50 ] || { echo "the balancer knows: $(${BALANCER} states | tr '\\n' ','); wanted: $wanted" >&2; exit 1; }
  sleep 0.2
done
for address; do
  tries=0
  until says=$(${CURL} -sS -m 3 -w ' %{http_code}' --cacert ${CA} --cert ${HEALTH_CLIENT}.crt --key ${HEALTH_CLIENT}.key "https://$address:$port/readyz" 2>&1) &&
    case $says in *' 200') ;; *) false ;; esac; do
    tries=$((tries + 1))
    if [ "$tries" -ge 80 ]; then
      echo "https://$address:$port/readyz: $says" >&2
      ${BALANCER} states >&2
      exit 1
    fi
    sleep 0.3
  done
done
`;
