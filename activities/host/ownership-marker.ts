import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { ClusterState } from '../phases/cluster-state.ts';
import type { Pki } from '../pki/types.ts';
import { sha256, short } from '../resources/digest.ts';
import { KUBEWRIGHT_DIR } from './own-paths.ts';

/** Says on a host to which cluster it belongs: see docs/adr/0021-ownership-of-hosts.md. */
export const OWNERSHIP_MARKER = `${KUBEWRIGHT_DIR}/cluster`;

export interface OwnershipMarker {
  name: string;
  /** Digest of the cluster's CA: two clusters of one name, made by two installations, are two clusters. */
  id: string;
}

/** Which marks a task accepts on its host, and which one it leaves there. */
export interface Ownership {
  /** Of the cluster. */
  name: string;
  /** Ids of marks with this name that are the cluster's own. Empty: every mark is another cluster's. */
  ids: readonly string[];
  /** The id that the claim writes on a host without a mark; null: it writes nothing. */
  leaves: string | null;
}

/** The note with the ids of earlier lives of the cluster, words of a line: written when its secrets are forgotten. */
export const FORMER_MARKS = 'former-marks';
/** Earlier lives that are remembered. */
const MOST_FORMER = 20;

/** The id of a cluster, from its Kubernetes CA (PEM). */
export const markerId = (ca: string): string => short(sha256(ca));

export const markerOf = async (cluster: ClusterSpec, pki: Pki): Promise<OwnershipMarker> => ({
  name: cluster.metadata.name,
  id: markerId(await pki.ca('kubernetes')),
});

export const formatMarker = ({ name, id }: OwnershipMarker): string => `${name} ${id}\n`;

/** The former ids with one more, newest last. */
export function withFormer(known: string | null, id: string): string {
  const others = (known ?? '').split(' ').filter((each) => each !== '' && each !== id);
  return [...others, id].slice(-MOST_FORMER).join(' ');
}

/**
 * What a task may find on its host. A task that changes hosts makes the cluster's CA, the source of the id,
 * where there is none; a dry run and a teardown do not: without a CA no host can be the cluster's. A teardown also takes
 * back what an earlier life of the cluster left on hosts that its own teardown did not reach.
 */
export async function ownershipOf(
  cluster: ClusterSpec,
  {
    pki,
    clusterState,
    removes,
    mode,
  }: {
    pki: Pki;
    clusterState: ClusterState /** Its operation removes hosts from the cluster. */;
    removes: boolean;
    mode: 'apply' | 'check';
  },
): Promise<Ownership> {
  const { name } = cluster.metadata;
  if (mode === 'apply' && !removes) {
    const { id } = await markerOf(cluster, pki);
    return { name, ids: [id], leaves: id };
  }
  const ca = await pki.storedCa('kubernetes');
  const present = ca === null ? [] : [markerId(ca)];
  const former = removes ? ((await clusterState.get(FORMER_MARKS)) ?? '').split(' ') : [];
  return {
    name,
    ids: [...present, ...former].filter((id) => id !== ''),
    leaves: mode === 'apply' ? (present[0] ?? null) : null,
  };
}
