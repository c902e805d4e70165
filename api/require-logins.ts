import { noCredential } from '../activities/host/credentials.ts';
import { phaseCredentialUses } from '../activities/phases/credential-uses.ts';
import type { ClusterSpec } from '../contracts/cluster.ts';
import type { CredentialScope, CredentialValue } from '../contracts/credential.ts';
import {
  addressVerdict,
  type CredentialPurpose,
  type CredentialUse,
  clusterInScope,
  credentialUses,
  KINDS_OF_PURPOSE,
} from '../contracts/credential-use.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { FieldIssue } from '../contracts/issues.ts';
import { pathWithin } from '../contracts/login-paths.ts';
import { canonicalJson } from '../store/canonical.ts';
import { type Caller, isRoot } from './caller.ts';
import type { ApiDeps } from './deps.ts';

/** Problems of one answer: each host may name a credential of its own. */
const ISSUES = 100;

/**
 * May this caller have the cluster log in as the spec says? Stored credentials must be for the cluster and the address.
 * Key files and agents of the worker's machine, and credentials that are for no cluster in particular, need an admin of all
 * clusters: what one sends is approved, and others may send it again as long as it is in `base`, the cluster's present
 * spec, for the same address. The worker asks again when it opens the secret.
 * Throws SPEC_INVALID for a credential that is not there or not for this use (the same words for both, unless an admin of
 * all clusters asks), FORBIDDEN for what needs an admin.
 */
export async function requireLogins(
  deps: ApiDeps,
  caller: Caller,
  spec: ClusterSpec,
  base: ClusterSpec | null,
): Promise<void> {
  const cluster = spec.metadata.name;
  const usesOf = (each: ClusterSpec) => [...credentialUses(each), ...phaseCredentialUses(each, deps.phases)];
  const uses = usesOf(spec);
  const scopes = await deps.store.credentials.scopes(
    uses.flatMap(({ use }) => ('name' in use.credential ? [use.credential.name] : [])),
  );
  const before = new Set((base ? usesOf(base) : []).map(({ use }) => canonicalJson(use)));
  const approved = async (use: CredentialUse): Promise<boolean> =>
    before.has(canonicalJson(use)) && (await deps.store.approvals.has(cluster, use));
  const root = isRoot(caller);
  const issues = new Map<string, FieldIssue>();
  const forbidden = new Map<string, FieldIssue>();
  const approve: CredentialUse[] = [];
  // One pass in the order of the spec: not even the order of problems says whether a credential exists.
  for (const { path, use, purpose } of uses) {
    const { credential } = use;
    if (!('name' in credential)) {
      const local = 'keyFile' in credential ? credential.keyFile : credential.agent;
      if (root) approve.push(use);
      else if (!pathWithin(deps.loginPaths ?? [], local) && !(await approved(use))) {
        forbidden.set(path, { path, message: LOCAL });
      }
      continue;
    }
    const scope = scopes.get(credential.name) ?? null;
    const problem = scopeProblem(scope, cluster, use, purpose);
    if (problem === null && root && !scope?.clusters) approve.push(use);
    if (problem === null && (root || scope?.clusters || (await approved(use)))) continue;
    const message = wording(root, credential.name, cluster, use, problem);
    issues.set(`${path} ${use.address}`, { path, message });
  }
  refuse('SPEC_INVALID', issues);
  refuse('FORBIDDEN', forbidden);
  if (approve.length > 0) await deps.store.approvals.add(cluster, approve, caller.actor.name);
}

const LOCAL =
  'names a key file or an agent on the machine of the worker: an admin of all clusters must send it with this exact address, or KUBEWRIGHT_LOGIN_PATHS must list its folder';

/** Why a stored credential cannot be used here; null when it can. */
function scopeProblem(
  scope: (CredentialScope & Pick<CredentialValue, 'kind'>) | null,
  cluster: string,
  use: CredentialUse,
  purpose: CredentialPurpose,
): string | null {
  if (!scope) return 'absent';
  if (!KINDS_OF_PURPOSE[purpose].includes(scope.kind)) {
    return `it is of kind ${scope.kind}, and ${KINDS_OF_PURPOSE[purpose].join(' or ')} is needed here`;
  }
  if (scope.clusters && !clusterInScope(scope.clusters, cluster))
    return `it is limited to the clusters ${scope.clusters.join(', ')}`;
  const verdict = addressVerdict(scope, use);
  // Hosts resolve the names of proxies and servers, each for itself: only the name as it stands can be compared.
  if (verdict === 'refused' || (verdict === 'after-resolution' && purpose !== 'login'))
    return `it is limited to the addresses ${scope.addresses?.join(', ')}`;
  return null;
}

/** Admins of all clusters get the reason; for others a credential that they may not use looks like one that does not exist. */
function wording(root: boolean, name: string, cluster: string, { address }: CredentialUse, problem: string | null) {
  const refusal = noCredential(name, cluster, address);
  if (!root) return refusal;
  return problem === 'absent' ? `${refusal}; PUT /credentials/${name} first` : `${refusal}; ${problem}`.slice(0, 1000);
}

function refuse(code: 'SPEC_INVALID' | 'FORBIDDEN', issues: ReadonlyMap<string, FieldIssue>): void {
  const errors = [...issues.values()].slice(0, ISSUES);
  const [first] = errors;
  if (first) throw new KubewrightError(code, `${first.path}: ${first.message}`, { errors });
}
