import type { Artifact } from './artifact.ts';
import type { Image } from './image.ts';

/** A downloadable file, resolved: where it is and what it must hash to. */
export interface ResolvedFile {
  /** Catalogue name, e.g. `kubelet`, `etcd`, `image/coredns`. */
  name: string;
  version: string;
  url: string;
  /** Hex; hosts refuse anything else. */
  sha256: string;
  /** Bytes; 0 = not known beforehand. */
  size: number;
  kind: 'binary' | 'tar.gz' | 'oci-tar';
}

/** Where artifacts come from in this operation: the cluster's mirror, or the official releases. */
export interface ArtifactSource {
  /** Throws ARTIFACT_UNKNOWN or MIRROR_UNUSABLE. */
  file(artifact: Artifact, version: string, arch: string): Promise<ResolvedFile>;
  /** The image file for preloading into the cluster's registry, or null when images come from upstream registries. */
  imageFile(image: Image, arch: string): Promise<ResolvedFile | null>;
}
