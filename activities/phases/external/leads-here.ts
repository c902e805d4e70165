import { CURL } from '../../host/direct.ts';
import { clientHello, describeCertificate, greetingOf, isApiServer, TLS_HELLO } from '../../kube/tls-hello.ts';
import type { CheckRun } from '../phase.ts';

/** How long a balancer may take to notice that API servers are up, s. */
const PATIENCE_S = 75;
/**
 * Connections that have to get through one after the other, each to whichever API server the balancer chooses. A control plane
 * asks more often: among them is one to itself, which some balancers cannot lead back.
 */
const TRIES = { controlPlane: 12, worker: 3 } as const;

/**
 * Does the endpoint lead to API servers of this cluster, from this host? Every address of its name is asked: one at least has to
 * lead there, and none elsewhere. Waits for the balancer. Throws ENDPOINT_UNRESOLVED, ENDPOINT_LEADS_ELSEWHERE and
 * ENDPOINT_UNREACHABLE, with each hop in the evidence.
 */
export async function leadsHere(run: CheckRun<unknown>, { host, port }: { host: string; port: number }): Promise<void> {
  const ca = await run.pki.ca('kubernetes');
  const isControlPlane = run.host.roles.includes('control-plane');
  const tries = isControlPlane ? TRIES.controlPlane : TRIES.worker;
  const { code, stdout } = await run.remote.script(
    ASK,
    [host, String(port), clientHello(host), ca, String(tries), String(PATIENCE_S)],
    { timeoutMs: (PATIENCE_S + 60) * 1000, okCodes: 'any' },
  );
  if (code === 0) return;
  const answers = stdout.split('\n').flatMap((line) => answerOf(line, ca) ?? []);
  const hops = [`DNS ${host}: ${answers.map(({ address }) => address).join(', ') || 'no address'}`];
  hops.push(...answers.map(({ text }) => text));
  const [from, place] = [run.host.name, `${host}:${port}`];
  if (answers.length === 0)
    return run.fail('ENDPOINT_UNRESOLVED', `the endpoint ${host} has no IPv4 address on ${from}`, hops[0]);
  if (answers.some(({ wrong }) => wrong))
    return run.fail(
      'ENDPOINT_LEADS_ELSEWHERE',
      `the endpoint ${place}, asked from ${from}, leads elsewhere`,
      hops.join('\n'),
    );
  if (isControlPlane) {
    hops.push(
      `${from} is a control plane: the balancer has to lead its connections to any API server, the one on ${from} included`,
    );
  }
  return run.fail('ENDPOINT_UNREACHABLE', `${from} reaches no API server by the endpoint ${place}`, hops.join('\n'));
}

/** An address of the endpoint that was asked, in words. */
interface Answer {
  address: string;
  text: string;
  /** Another server answers there. */
  wrong: boolean;
}

/** Reads `<address> <got through> <asked> <exit code of curl> <HTTP status> <connected: yes or no> <greeting in hex>`. */
function answerOf(line: string, ca: string): Answer | null {
  const [address = '', through, asked, exit = '', status = '', connected, hex = ''] = line.split(' ');
  if (connected === undefined) return null;
  const counted = `${through} of ${asked} connections got through`;
  const said = (text: string, wrong = false): Answer => ({ address, text: `${address}: ${text}; ${counted}`, wrong });
  const greeting = greetingOf(hex);
  const isOther = greeting.kind === 'certificate' && !isApiServer(greeting.certificate, ca);
  if (exit === '0' && !isOther) return said(`TCP and TLS are right, HTTP GET /readyz: ${status}`);
  if (connected === 'no')
    return said(exit === '28' ? 'TCP: no answer within 3 s' : 'TCP: connection refused, or no route');
  if (exit === '28') return said('TCP: connected; no answer to TLS or HTTP within 3 s');
  if (greeting.kind === 'nothing') return said('TCP: connected; TLS: closed without an answer');
  if (greeting.kind === 'other') return said(`TCP: connected; ${greeting.text}`, true);
  if (greeting.kind === 'alert')
    return said(`TCP: connected; TLS: alert ${greeting.code}, curl exit code ${exit}`, true);
  // 60, 51: curl does not accept the certificate.
  if (!isOther && exit !== '60' && exit !== '51')
    return said(`TCP and TLS are right, HTTP: closed without an answer (curl exit code ${exit})`);
  const who = describeCertificate(greeting.certificate);
  const why = !isOther
    ? `an API server of this cluster without this name in its certificate: ${greeting.certificate.subjectAltName ?? ''}`
    : 'a certificate that is not that of an API server of this cluster';
  return said(`TCP: connected; TLS: ${why}: ${who}`, true);
}

/** Asks every address in turn until all is right. 401 and 403 are answers to a client without a certificate. */
const ASK = `
host=$1 port=$2 hello=$3 ca=$4 tries=$5 deadline=$(($(date +%s) + $6))
${TLS_HELLO}
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
printf '%s\\n' "$ca" >"$folder/ca.crt"
ask() {
  through=0 asked=0
  while [ "$asked" -lt "$tries" ]; do
    asked=$((asked + 1)) exit=0
    status=$(${CURL} -s -m 3 -o "$folder/body" -w '%{http_code}' --cacert "$folder/ca.crt" \\
      --connect-to "$host:$port:$1:$port" "https://$host:$port/readyz" 2>/dev/null) || exit=$?
    case $exit in 7 | 28) connected=no ;; *) connected=yes ;; esac
    [ "$exit" = 0 ] || return 0
    case $status in
      200) ;;
      # An API server refuses in JSON; a kubelet, which has a certificate of the same authority, in plain text.
      401 | 403) grep -qs '"kind": *"Status"' "$folder/body" || return 0 ;;
      *) return 0 ;;
    esac
    through=$((through + 1))
  done
}
while :; do
  addresses=$(timeout 10 getent ahostsv4 "$host" | cut -d ' ' -f 1 | sort -u | head -n 8) || :
  good=0 bad=0
  : >"$folder/answers"
  for address in $addresses; do
    ask "$address"
    if [ "$through" = "$tries" ]; then
      good=1
    elif [ "$through" != 0 ] || [ "$connected" = yes ]; then
      bad=1
    fi
    echo "$address $through $asked $exit $status" >>"$folder/answers"
  done
  [ "$good" = 0 ] || [ "$bad" = 1 ] || exit 0
  [ "$(date +%s)" -lt "$deadline" ] || break
  sleep 1
done
while read -r address rest; do
  set -- $(kw_hello "$address" "$port" "$hello")
  case $1 in open) connected=yes ;; *) connected=no ;; esac
  echo "$address $rest $connected \${2:-}"
done <"$folder/answers"
exit 1
`;
