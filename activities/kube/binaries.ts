import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { RequiredArtifact } from '../artifacts/artifact.ts';
import { KUBERNETES, type KubernetesBinary } from './artifacts.ts';

/** Binaries of Kubernetes at the cluster's version. */
export const kubernetesBinaries = (cluster: ClusterSpec, names: readonly KubernetesBinary[]): RequiredArtifact[] =>
  names.map((name) => ({ artifact: KUBERNETES[name], version: cluster.spec.kubernetes.version }));
