import { type ClusterSpec, hostsWithRole } from '../../contracts/cluster.ts';
import type { Image, RequiredImage } from '../artifacts/image.ts';
import type { ArtifactSource } from '../artifacts/source.ts';
import { REGISTRY_ENDPOINT } from './paths.ts';

/**
 * The reference under which this cluster's containers name an image: in its own registry when a host has that role and
 * the mirror holds the image, else the upstream one.
 */
export async function imageRef(
  context: { cluster: ClusterSpec; artifacts: ArtifactSource; facts: { arch: string } },
  image: Image,
): Promise<string> {
  const preloaded =
    hostsWithRole(context.cluster, 'registry').length > 0
      ? await context.artifacts.imageFile(image, context.facts.arch)
      : null;
  // The upstream reference covers every architecture.
  return preloaded ? inRegistry(image) : image.upstream;
}

/**
 * The same for an image that every mirror must hold, from the spec alone: for callers that must not make the process read a
 * mirror, whose address comes from the spec.
 */
export function requiredImageRef(cluster: ClusterSpec, image: RequiredImage): string {
  const preloaded = hostsWithRole(cluster, 'registry').length > 0 && cluster.spec.artifacts.mirror !== undefined;
  return preloaded ? inRegistry(image) : image.upstream;
}

const inRegistry = (image: Image): string => `${REGISTRY_ENDPOINT}/${repositoryOf(image)}:${image.version}`;

/** Where an image of the catalogue lies in the cluster's registry. */
export const repositoryOf = ({ name }: Image): string => name;
