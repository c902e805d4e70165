import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterSpec, hostsWithRole, internalAddress } from '../../../contracts/cluster.ts';
import { type ErrorCode, KubewrightError } from '../../../contracts/errors.ts';
import { ETCD_STATE_FUNCTION, lostMajority, unreachableMember } from '../../kube/etcd-majority.ts';
import { type EtcdMemberState, parseEtcdState } from '../../kube/etcd-state.ts';
import { ETCD_CLIENT_PORT } from '../../kube/paths.ts';
import type { CauseLook } from '../cause-look.ts';
import { rawPhaseOptions } from '../options.ts';

/** Errors that a task may fail with because etcd has no majority. */
export const WITHOUT_MAJORITY: readonly ErrorCode[] = [
  ...(['ETCD_UNHEALTHY', 'ETCD_CANNOT_JOIN', 'APISERVER_NOT_READY', 'UNIT_FAILED', 'STATE_UNKNOWN'] as const),
  ...(['COMMAND_FAILED', 'COMMAND_TIMEOUT', 'VERIFY_FAILED', 'MANIFEST_REFUSED', 'NODE_NOT_READY'] as const),
  ...(['NODE_UNREACHABLE', 'WORKLOAD_NOT_READY', 'SMOKE_TEST_FAILED', 'METRICS_MISSING'] as const),
];

/** Time for an election: a cluster without a leader for a moment has its majority, ms. */
const ELECTION_MS = 4_000;

/**
 * ETCD_QUORUM_LOST when no member of an etcd that had formed has a leader, twice: which hosts answer, what is on each, and which has
 * the newest data. Each host is asked itself, so a link that is cut between two of them is no loss. Null otherwise.
 */
export async function quorumLost(look: CauseLook, formed: boolean): Promise<KubewrightError | null> {
  if (!formed) return null;
  const first = await askHosts(
    look,
    hostsWithRole(look.cluster, 'etcd').map(({ name }) => name),
  );
  if (lostMajority(first) === null) return null;
  await sleep(ELECTION_MS, undefined, { signal: look.signal });
  const reachable = first.filter(({ away }) => away === null).map(({ host }) => host);
  const again = await askHosts(look, reachable);
  const lost = lostMajority(first.map((member) => again.find(({ host }) => host === member.host) ?? member));
  return lost && new KubewrightError('ETCD_QUORUM_LOST', lost.message, { evidence: lost.evidence });
}

function askHosts({ cluster, ask }: CauseLook, names: readonly string[]): Promise<EtcdMemberState[]> {
  return Promise.all(
    names.map(async (name) => {
      try {
        const host = cluster.spec.hosts.find((each) => each.name === name)!;
        const url = `https://${internalAddress(host)}:${ETCD_CLIENT_PORT}`;
        const stdout = await ask(host, `set +eu\n${ETCD_STATE_FUNCTION}\netcd_state "$@"`, [
          name,
          url,
          dataDirOf(cluster, name),
        ]);
        const line = stdout.split('\n').find((each) => each.startsWith('etcd-state\t')) ?? '';
        return parseEtcdState(line.split('\t').slice(1));
      } catch (error) {
        if (!KubewrightError.is(error)) throw error;
        return unreachableMember(name, `${error.code}: ${error.message}`);
      }
    }),
  );
}

function dataDirOf(cluster: ClusterSpec, name: string): string {
  const host = cluster.spec.hosts.find((each) => each.name === name);
  const { dataDir } = rawPhaseOptions(cluster, 'etcd', host);
  return typeof dataDir === 'string' ? dataDir : '/var/lib/etcd';
}
