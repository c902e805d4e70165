import type { Change } from '../../../contracts/operation.ts';
import { printableLine } from '../../../contracts/printable.ts';
import { formatMarker, markerOf } from '../../host/ownership-marker.ts';
import { endpointPlaces, externalEtcd } from '../etcd/public.ts';
import type { PhaseRun } from '../phase.ts';
import { certificateFunctions } from '../preflight/public.ts';
import { ASK, callBody, readAnswers, readCall } from './ask.ts';
import { CALLS, claimed, claimOf } from './requests.ts';

/** The note with the id of the cluster whose marker is below the prefix: from then on an empty etcd is another one. */
export const CLAIMED = 'external-etcd/claimed';

/**
 * Puts the marker of the cluster below its prefix, once, while there is no other key: the only key in the etcd that does not come
 * from the API servers. Throws EXTERNAL_ETCD_IN_USE when another cluster was faster, EXTERNAL_ETCD_UNREACHABLE when no endpoint
 * answers.
 */
export async function claimPrefix(run: PhaseRun<unknown>): Promise<Change[]> {
  const { cluster, pki, clusterState, remote, fail, mode } = run;
  const external = externalEtcd(cluster)!;
  const { prefix, endpoints, credential } = external;
  const marker = await markerOf(cluster, pki);
  if ((await clusterState.get(CLAIMED)) === marker.id) return [];
  const change: Change = {
    resource: `etcd-prefix:${prefix}`,
    action: 'create',
    detail: `belongs to the cluster ${marker.name} from now on`,
  };
  if (mode === 'check') return [change];
  const certificate = await run.clientCertificate({ credential, places: endpointPlaces(external) });
  const access = certificateFunctions(new Map([[credential.name, certificate]]));
  const body = callBody(claimOf(prefix, formatMarker(marker)));
  const { stdout } = await remote.script(
    `set +e\n${access}\n${CLAIM}`,
    [credential.name, CALLS.txn, body, ...endpoints],
    {
      timeoutMs: 40_000,
      changes: [change],
    },
  );
  const failures: string[] = [];
  for (const { endpoint, answer } of readAnswers(stdout.split('\n').map((line) => line.split(' ')))) {
    if (endpoint === '') continue;
    const call = readCall(answer);
    if ('why' in call) {
      failures.push(`${endpoint}: ${call.why}`);
      continue;
    }
    const { made, found } = claimed(call.message);
    if (!made && found !== formatMarker(marker)) {
      const evidence = `${endpoint}: ${found === null ? 'keys without a marker' : `marker ${printableLine(found)}`}`;
      fail('EXTERNAL_ETCD_IN_USE', `the keys below ${prefix}/ belong to another cluster`, evidence);
    }
    await clusterState.set(CLAIMED, marker.id);
    return made ? [change] : [];
  }
  return fail('EXTERNAL_ETCD_UNREACHABLE', 'no endpoint of the external etcd answers', failures.join('\n'));
}

/** One endpoint after the other, until one answers. */
const CLAIM = `say() { printf '%s\\n' "$*"; }
${ASK}
credential=$1 call=$2 body=$3
shift 3
for endpoint; do ask claim "$call" "$body" && exit 0; done
exit 0
`;
