import type { ErrorCode } from '../../../../contracts/errors.ts';
import {
  ETCD_TXN,
  type EtcdAnswer,
  GRPC_WORDS,
  PERMISSION_DENIED,
  readIfWritable,
  readTxnAnswer,
} from '../../../kube/etcd-grpc.ts';
import {
  registryClaim,
  registryOf,
  registryPrefix,
  registryProblem,
  registrySizeKey,
} from '../../../kube/etcd-registry.ts';
import type { RequiredDiscovery } from '../../requires.ts';
import { type CheckHost, defineCheck, type Problem } from '../check.ts';

type Code = Extract<ErrorCode, 'DISCOVERY_TOKEN_USED' | 'DISCOVERY_UNUSABLE'>;

const wantedOf = ({ requirements }: CheckHost): RequiredDiscovery | undefined =>
  requirements.flatMap(({ discovery }) => (discovery && !discovery.url ? discovery : []))[0];

/** Digits in a line of the answer: below MAX_WORD of the probe. */
const CHUNK = 4000;

/** Exit codes of curl (curl.1, "EXIT CODES") that say more than its message. */
const CURL_SAYS: Readonly<Record<string, string>> = {
  '6': 'its name is not known',
  '7': 'takes no connection',
  '28': 'does not answer within 8 s',
  '35': 'ends the TLS handshake',
  '56': 'takes no client without another certificate',
  '58': 'cannot be asked with the client certificate',
  '60': 'has a certificate that the CA of the credential did not sign, or that is for another name',
};

export default defineCheck({
  name: 'discovery',
  about: 'network',
  title: 'etcd for discovery',
  inspects:
    'On etcd hosts without data, while no etcd of the cluster has formed, with `bootstrap: {mode: discovery}`: each endpoint answers one call of etcd 3 (curl, over HTTP/2, with the client certificate of the spec), allows to read and to write below `/_etcd/registry/<token>/`, and no other cluster has used the token. Nothing is written.',
  codes: ['DISCOVERY_UNUSABLE', 'DISCOVERY_TOKEN_USED'],
  probe: {
    script: `
command -v curl >/dev/null || return 0
unless=$1 credential=$2 frame=$3
shift 3
[ ! -e "$unless" ] || return 0
ask() {
  case $1 in https:*) version=--http2 ;; *) version=--http2-prior-knowledge ;; esac
  printf "$frame" | curl_as "$credential" ${GRPC_WORDS} "$version" -- "$1${ETCD_TXN}" 2>/dev/null |
    od -An -v -tx1 | tr -d ' \\n' | fold -w ${CHUNK} | while IFS= read -r part || [ -n "$part" ]; do say "$1" "$part"; done
}
for endpoint; do ask "$endpoint" & done
wait`,
    args(of) {
      const wanted = wantedOf(of);
      if (!wanted) return null;
      const { unless, credential, token, endpoints } = wanted;
      const frame = readIfWritable({ prefix: registryPrefix(token), writes: registrySizeKey(token) });
      return [unless, credential ?? '-', frame, ...endpoints];
    },
  },
  evaluate(of, rows) {
    const wanted = wantedOf(of);
    if (!wanted || rows.length === 0) return [];
    const { token, founders, endpoints } = wanted;
    const claim = of.etcdAuthority ? registryClaim(of.cluster.metadata.name, of.etcdAuthority) : null;
    const answers = endpoints.map((endpoint) => {
      const hex = rows.filter(([first]) => first === endpoint).map(([, part = '']) => part);
      return { endpoint, answer: readTxnAnswer(hex.join('')) };
    });
    const problems = answers.flatMap(({ endpoint, answer }) => endpointProblem(wanted, endpoint, answer) ?? []);
    if (problems.length > 0) return problems;
    // All are members of one etcd: any of them says what is registered.
    const [registry] = answers.flatMap(({ answer }) => ('keys' in answer ? registryOf(token, answer.keys) : []));
    const problem = registry && registryProblem(registry, { token, claim, founders });
    return problem ? [problem] : [];
  },
});

/** What keeps a host from using an endpoint; null: nothing. */
function endpointProblem(
  { credential, token }: RequiredDiscovery,
  endpoint: string,
  answer: EtcdAnswer,
): Problem<Code> | null {
  if ('keys' in answer) return null;
  const problem = (message: string, evidence: string) => ({
    code: 'DISCOVERY_UNUSABLE' as const,
    message: `the etcd for discovery at ${endpoint} ${message}`,
    evidence: `${endpoint}, with ${credential === null ? 'no client certificate' : `the credential ${credential}`}: ${evidence}`,
  });
  if ('exit' in answer)
    return problem(CURL_SAYS[answer.exit] ?? 'cannot be asked', `curl ends with ${answer.exit}: ${answer.message}`);
  if ('strange' in answer) return problem('does not answer as etcd 3', answer.strange);
  const { status, message } = answer;
  const evidence = `gRPC status ${status}: ${message}`;
  if (status === PERMISSION_DENIED || /permission denied|user name is empty|auth/i.test(message))
    return problem(`does not allow to read and write below ${registryPrefix(token)}`, evidence);
  return problem('refuses the call', evidence);
}
