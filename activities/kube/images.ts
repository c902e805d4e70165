import { type ClusterSpec, hostsWithRole } from '../../contracts/cluster.ts';
import { ARCHES, type Arch } from '../artifacts/artifact.ts';
import type { Image, RequiredImage } from '../artifacts/image.ts';
import type { ArtifactSource, ResolvedFile } from '../artifacts/source.ts';
import { REGISTRY_ENDPOINT } from './paths.ts';

/**
 * The reference under which this cluster's containers name an image: in its own registry when a host has that role and
 * the mirror holds the image, else the upstream one.
 */
export async function imageRef(
  context: { cluster: ClusterSpec; artifacts: ArtifactSource },
  image: Image,
): Promise<string> {
  const preloaded =
    hostsWithRole(context.cluster, 'registry').length > 0
      ? (await imageFiles(context.artifacts, image)).length > 0
      : false;
  // The upstream reference covers every architecture.
  return preloaded ? inRegistry(image) : image.upstream;
}

/** Where this cluster's containers find all of these images: its own registry, when the mirror holds each; else undefined, for upstream. */
export async function imageRepository(
  context: { cluster: ClusterSpec; artifacts: ArtifactSource; facts: { arch: string } },
  images: readonly Image[],
): Promise<string | undefined> {
  if (hostsWithRole(context.cluster, 'registry').length === 0) return undefined;
  const files = await Promise.all(images.map((image) => context.artifacts.imageFile(image, context.facts.arch)));
  return files.every((file) => file !== null) ? REGISTRY_ENDPOINT : undefined;
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

/** An image file of a mirror, and the machines that it is for. */
export interface PlatformFile {
  readonly arch: Arch;
  readonly file: ResolvedFile;
}

/** The files of an image that the cluster's mirror has, one for each architecture; none where there is no mirror. */
export async function imageFiles(artifacts: ArtifactSource, image: Image): Promise<PlatformFile[]> {
  const found = await Promise.all(ARCHES.map(async (arch) => ({ arch, file: await artifacts.imageFile(image, arch) })));
  return found.flatMap(({ arch, file }) => (file === null ? [] : [{ arch, file }]));
}

/** Where an image of the catalogue lies in the cluster's registry. */
export const repositoryOf = ({ name, repository }: Image): string => repository ?? name;
