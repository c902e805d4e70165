import { internalAddress } from '../../../contracts/cluster.ts';
import type { Host } from '../../../contracts/host.ts';
import type { Turn } from '../../../contracts/operation.ts';
import { CURL } from '../../host/direct.ts';
import { quote } from '../../host/quote.ts';
import type { RemoteHost } from '../../host/types.ts';
import { KUBECTL_ENV } from '../../kube/kubectl.ts';
import { API_SERVER_PORT, BIN_DIR } from '../../kube/paths.ts';
import { shCode } from '../../resources/sh-code.ts';
import type { PhaseContext } from '../phase.ts';
import { CONTROL_PLANE } from './files.ts';

const readyz = (host: Host): string => `https://${internalAddress(host)}:${API_SERVER_PORT}/readyz`;

/** sh: `ready <url>` succeeds when the API server there says that it is. */
const READY = `ready() { [ "$(${CURL} -s -m 3 --cacert ${CONTROL_PLANE.ca} --cert ${CONTROL_PLANE.healthClient}.crt --key ${CONTROL_PLANE.healthClient}.key "$1")" = ok ]; }`;

/**
 * When a control plane is changed among the others: one whose API server is not ready first; last the one whose controller
 * manager leads, so that the lead moves once, and one beside which no other API server is ready. One round trip, no change.
 */
export async function turnOfControlPlane(remote: RemoteHost, host: Host, peers: readonly Host[]): Promise<Turn | null> {
  const others = peers.filter(({ name }) => name !== host.name);
  const { stdout } = await remote.script(
    `set +eu
${READY}
ready ${quote(readyz(host))} || { echo first; exit 0; }
[ $# -gt 0 ] || exit 0
any=$(for url in "$@"; do { ! ready "$url" || echo "$url"; } & done; wait)
[ -n "$any" ] || { echo last; exit 0; }
holder=$(timeout 5 ${BIN_DIR}/kubectl --request-timeout=4s -n kube-system get lease kube-controller-manager -o 'jsonpath={.spec.holderIdentity}' 2>/dev/null)
[ "\${holder%%_*}" != "$(uname -n)" ] || echo last
`,
    others.map(readyz),
    { env: KUBECTL_ENV, timeoutMs: 20_000 },
  );
  const said = stdout.trim();
  return said === 'first' || said === 'last' ? said : null;
}

/** How long another API server may take to be ready before this one is stopped, seconds. */
const WAIT_S = 30;

/**
 * sh that runs before the API server of this host is stopped in a window: another one has to be ready, for clients would
 * have none. Fails with APISERVER_NOT_READY. Empty outside of windows, and where no other one served before or all are out.
 */
export function waitForAnother(host: Host, peers: readonly Host[], window: PhaseContext<unknown>['window']): string {
  if (!window) return '';
  const others = peers.filter(
    ({ name }) => name !== host.name && window.served.includes(name) && !window.excluded.includes(name),
  );
  if (others.length === 0) return '';
  const urls = others.map((each) => quote(readyz(each))).join(' ');
  return `set +eu
${READY}
deadline=$(($(date +%s) + ${WAIT_S}))
while :; do
  for url in ${urls}; do ready "$url" && exit 0; done
  [ "$(date +%s)" -lt "$deadline" ] || break
  sleep 0.5
done
kw_fail ${shCode('APISERVER_NOT_READY')} "the API server of ${host.name} is not restarted: no other one is ready"
echo ${quote(others.map(({ name }) => name).join(', '))}
exit 1`;
}
