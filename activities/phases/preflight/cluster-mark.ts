import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { KUBEWRIGHT_DIR } from '../../kube/paths.ts';
import type { Pki } from '../../pki/types.ts';
import { sha256, short } from '../../resources/digest.ts';

/** Says on a host to which cluster it belongs. Written by `prepare`, read by `preflight` before anything is changed. */
export const CLUSTER_MARK = `${KUBEWRIGHT_DIR}/cluster`;

export interface ClusterMark {
  name: string;
  /** Digest of the cluster's CA: two clusters of one name, made by two installations, are two clusters. */
  id: string;
}

export const markOf = async (cluster: ClusterSpec, pki: Pki): Promise<ClusterMark> => ({
  name: cluster.metadata.name,
  id: short(sha256(await pki.ca('kubernetes'))),
});

export const formatMark = ({ name, id }: ClusterMark): string => `${name} ${id}\n`;

/** Null for an empty text. Anything that is not a mark of ours belongs to somebody else all the same. */
export function parseMark(text: string): ClusterMark | null {
  const [name = '', id = ''] = text.trim().split(' ');
  return name === '' ? null : { name, id };
}
