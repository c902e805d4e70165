import { type ClusterSpec, hostsWithRole } from '../../contracts/cluster.ts';
import { type ImageName, image, type RequiredImageName } from '../artifacts/images.ts';
import type { PhaseContext } from '../phases/phase.ts';
import { REGISTRY_ENDPOINT } from './paths.ts';

/**
 * The reference under which this cluster's containers name an image: in its own registry when a host has that role and
 * the mirror holds the image, else the upstream one.
 */
export async function imageRef(
  context: Pick<PhaseContext<unknown>, 'cluster' | 'artifacts' | 'facts'>,
  name: ImageName,
): Promise<string> {
  const preloaded =
    hostsWithRole(context.cluster, 'registry').length > 0
      ? await context.artifacts.imageFile(name, context.facts.arch)
      : null;
  return preloaded
    ? `${REGISTRY_ENDPOINT}/${repositoryOf(name)}:${preloaded.version}`
    : // The upstream reference covers every architecture.
      image(name, 'amd64').upstream;
}

/**
 * The same for an image that every mirror must hold, from the spec alone: for callers that must not make the process read a
 * mirror, whose address comes from the spec.
 */
export function requiredImageRef(cluster: ClusterSpec, name: RequiredImageName): string {
  const { version, upstream } = image(name, 'amd64');
  const preloaded = hostsWithRole(cluster, 'registry').length > 0 && cluster.spec.artifacts.mirror !== undefined;
  return preloaded ? `${REGISTRY_ENDPOINT}/${repositoryOf(name)}:${version}` : upstream;
}

/** Where an image of the catalogue lies in the cluster's registry. */
export function repositoryOf(name: ImageName): string {
  return name;
}
