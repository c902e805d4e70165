import { KubewrightError } from '../../../contracts/errors.ts';
import { quoteArgv } from '../../host/quote.ts';
import type { RemoteHost } from '../../host/types.ts';
import type { EtcdKey } from '../../kube/etcd-grpc.ts';
import {
  type Founding,
  registryClaimKey,
  registryOf,
  registryPrefix,
  registryProblem,
  registrySizeKey,
} from '../../kube/etcd-registry.ts';
import { BIN_DIR, ETCD_PKI } from '../../kube/paths.ts';
import type { OpenedCertificate } from '../phase.ts';
import type { DiscoveryByEndpoints } from './discovery-option.ts';

/** What a founder shows to the etcd for discovery: there from the moment before it begins until it is a member. */
export const DISCOVERY_FILES = {
  ca: `${ETCD_PKI}/discovery-ca.crt`,
  cert: `${ETCD_PKI}/discovery.crt`,
  key: `${ETCD_PKI}/discovery.key`,
} as const;

/** How a founder enters the registry. */
interface DiscoveryEntry {
  readonly discovery: DiscoveryByEndpoints;
  readonly founding: Founding;
  /** Opens the client certificate; null: there is none. */
  readonly certificate: () => Promise<OpenedCertificate | null>;
}

/** etcd's variables for a founder. Never a password: etcd writes the values of its variables into its log. */
export function discoveryEnvironment({ endpoints, token, credential }: DiscoveryByEndpoints): Record<string, string> {
  const { ca, cert, key } = DISCOVERY_FILES;
  return {
    ETCD_DISCOVERY_ENDPOINTS: endpoints.join(','),
    ETCD_DISCOVERY_TOKEN: token,
    ...(endpoints[0]?.startsWith('https:') ? { ETCD_DISCOVERY_INSECURE_TRANSPORT: 'false' } : {}),
    ...(credential ? { ETCD_DISCOVERY_CACERT: ca, ETCD_DISCOVERY_CERT: cert, ETCD_DISCOVERY_KEY: key } : {}),
  };
}

/**
 * Prepares a founder: its client certificate is placed, readable by etcd only, and the token is claimed for the cluster together with
 * the number of its members, each once, whichever founder comes first. Returns its variables. Throws DISCOVERY_TOKEN_USED, DISCOVERY_UNUSABLE.
 */
export async function enterDiscovery(
  host: RemoteHost,
  { discovery, founding, certificate }: DiscoveryEntry,
): Promise<Record<string, string>> {
  const opened = await certificate();
  const access = ['--endpoints', discovery.endpoints.join(','), '--command-timeout', '10s'];
  if (opened) {
    const owner = { owner: 'etcd', group: 'etcd' };
    await host.upload(DISCOVERY_FILES.ca, opened.ca, { mode: 0o600, ...owner });
    await host.upload(DISCOVERY_FILES.cert, opened.certificate, { mode: 0o600, ...owner });
    await host.upload(DISCOVERY_FILES.key, opened.privateKey.value, { mode: 0o600, ...owner });
    access.push('--cacert', DISCOVERY_FILES.ca, '--cert', DISCOVERY_FILES.cert, '--key', DISCOVERY_FILES.key);
  }
  const { token, claim, founders } = founding;
  const size = String(founders.length);
  const ctl = quoteArgv([`${BIN_DIR}/etcdctl`, ...access]);
  const { stdout } = await host.script(
    `etcdctl() { ${ctl} "$@"; }\n${CLAIM}`,
    [registryPrefix(token), registrySizeKey(token), size, registryClaimKey(token), claim ?? ''],
    { timeoutMs: 60_000 },
  );
  const keys = readKeys(stdout);
  if (keys === null) {
    throw new KubewrightError('DISCOVERY_UNUSABLE', `${host.name} cannot use the etcd for discovery`, {
      evidence: `${discovery.endpoints.join(', ')}: ${stdout.trim().slice(-1500)}`,
    });
  }
  const problem = registryProblem(registryOf(token, keys), founding);
  if (problem) throw new KubewrightError(problem.code, problem.message, { evidence: problem.evidence });
  return discoveryEnvironment(discovery);
}

/** Takes away what only a founder needs. Returns whether there was something. */
export async function leaveDiscovery(host: RemoteHost): Promise<boolean> {
  const { stdout } = await host.script(LEAVE, Object.values(DISCOVERY_FILES));
  return stdout.includes('removed');
}

/**
 * Two transactions. The first writes size and claim when the token has neither; the second writes the claim when a person has
 * written the size, and no member has registered. Then prints all keys of the token as JSON, or the error of etcdctl.
 */
const CLAIM = `
prefix=$1 size_key=$2 size=$3 claim_key=$4 claim=$5
txn() { printf '%s\\n' "$@" | etcdctl txn 2>&1 >/dev/null || :; }
txn "mod(\\"$size_key\\") = \\"0\\"" "mod(\\"$claim_key\\") = \\"0\\"" '' "put $size_key $size" "put $claim_key \\"$claim\\"" '' ''
members=$(etcdctl get --prefix --keys-only --limit 1 "\${prefix}members/" 2>/dev/null || echo unknown)
[ -n "$members" ] || txn "val(\\"$size_key\\") = \\"$size\\"" "mod(\\"$claim_key\\") = \\"0\\"" '' "put $claim_key \\"$claim\\"" '' ''
etcdctl get --prefix "$prefix" --write-out json 2>&1 || :
`;

const LEAVE = `
for file; do
  [ ! -e "$file" ] || { rm -f -- "$file"; echo removed; }
done
`;

/** The keys of `etcdctl get -w json`, which are base64 there; null when this is something else. */
function readKeys(output: string): EtcdKey[] | null {
  const line = output.split('\n').find((each) => each.startsWith('{"header":'));
  if (line === undefined) return null;
  const text = (base64: unknown) => Buffer.from(typeof base64 === 'string' ? base64 : '', 'base64').toString('utf8');
  try {
    const { kvs = [] } = JSON.parse(line) as { kvs?: { key?: unknown; value?: unknown }[] };
    return kvs.map(({ key, value }) => ({ key: text(key), value: text(value) }));
  } catch {
    return null;
  }
}
