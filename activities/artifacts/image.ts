import type { Arch } from './artifact.ts';

/** One container image of the mirror: an OCI image layout in a plain tar. */
export interface ImageFile {
  readonly name: string;
  /** Tag under which it goes into the cluster's registry. */
  readonly version: string;
  readonly arch: Arch;
  /** Path under the mirror's root. */
  readonly mirrorPath: string;
  /** The official image, used to fill a mirror from the open network. */
  readonly upstream: string;
  /** False when a mirror may lack it: only phases that were asked for it need it. */
  readonly required: boolean;
}

/** A container image that a phase runs. */
export interface Image<Required extends boolean = boolean> {
  readonly kind: 'image';
  /** Unique among all images. */
  readonly name: string;
  /** Its repository in the cluster's registry: by default its name. Two versions of one image have one repository and two names. */
  readonly repository?: string;
  readonly version: string;
  readonly upstream: string;
  readonly required: Required;
  /** As `onDemand` of an artifact. */
  readonly onDemand?: true;
  /** Its version is `v` and the version of Kubernetes: a mirror for another Kubernetes has it at that version. */
  readonly followsKubernetes?: true;
  /** About: the registry is filled with small images first, since every pod waits for the smallest. */
  readonly sizeMiB: number;
  /** `version`: another one than its own, of an image that follows Kubernetes. */
  readonly file: (arch: Arch, version?: string) => ImageFile;
}

/** An image that every mirror holds. */
export type RequiredImage = Image<true>;

/** An image of the catalogue: exported from the `artifacts.ts` of the phase that runs it. */
export function defineImage<const Required extends boolean>(
  image: Omit<Image<Required>, 'kind' | 'file'>,
): Image<Required> {
  const { name, upstream, required } = image;
  return {
    kind: 'image',
    ...image,
    file: (arch, version = image.version) => ({
      name,
      version,
      arch,
      mirrorPath: `images/${name}-${version}-${arch}.tar`,
      upstream: version === image.version ? upstream : upstream.replace(/:[^:/]*$/, `:${version}`),
      required,
    }),
  };
}
