import type { Arch } from './catalogue.ts';

/** One container image of the mirror: an OCI image layout in a plain tar. */
export interface ImageFile {
  readonly name: ImageName;
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

const IMAGES = {
  pause: { version: '3.10.1', upstream: 'registry.k8s.io/pause:3.10.1', required: true },
  busybox: { version: '1.35.0', upstream: 'docker.io/library/busybox:1.35.0', required: true },
  coredns: { version: '1.15.0', upstream: 'registry.k8s.io/coredns/coredns:v1.15.0', required: true },
  'metrics-server': {
    version: '0.9.0',
    upstream: 'registry.k8s.io/metrics-server/metrics-server:v0.9.0',
    required: true,
  },
  'kube-web-view': { version: '21.2.0', upstream: 'docker.io/hjacobs/kube-web-view:21.2.0', required: true },
  headlamp: {
    version: '0.33.0',
    // By tag only: no digest of it could be verified here. A lab's mirror pulls pinned images only, so it stays without it.
    upstream: 'ghcr.io/headlamp-k8s/headlamp:v0.33.0',
    required: false,
  },
} as const satisfies Record<string, { version: string; upstream: string; required: boolean }>;

export type ImageName = keyof typeof IMAGES;

/** Images that every mirror holds. */
export type RequiredImageName = {
  [name in ImageName]: (typeof IMAGES)[name]['required'] extends true ? name : never;
}[ImageName];

/** Every image name, sorted. */
export const IMAGE_NAMES: readonly ImageName[] = (Object.keys(IMAGES) as ImageName[]).sort();

/** True when the text names an image of the catalogue. */
export function isImageName(text: string): text is ImageName {
  return Object.hasOwn(IMAGES, text);
}

/** The image of that name at the catalogue's version. */
export function image(name: ImageName, arch: Arch): ImageFile {
  const { version, upstream, required } = IMAGES[name];
  return { name, version, arch, mirrorPath: `images/${name}-${version}-${arch}.tar`, upstream, required };
}

/** Every image that a cluster of ours may run. */
export function imageFiles(options: { arch: Arch }): ImageFile[] {
  return IMAGE_NAMES.map((name) => image(name, options.arch));
}
