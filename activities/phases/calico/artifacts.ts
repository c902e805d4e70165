import { defineArtifact, githubRelease } from '../../artifacts/artifact.ts';
import { defineImage } from '../../artifacts/image.ts';

/** The version of all parts: our objects are written for it, and its resource definitions go with it. */
export const CALICO_VERSION = '3.28.5';

/** The command line of Calico's own resources. */
export const CALICOCTL = defineArtifact({
  name: 'calicoctl',
  version: CALICO_VERSION,
  onDemand: true,
  format: 'binary',
  path: (version, arch) => `calico/v${version}/calicoctl-linux-${arch}`,
  url: (version, arch) => githubRelease('projectcalico/calico', version, `calicoctl-linux-${arch}`),
  members: () => [{ path: '', name: 'calicoctl' }],
  otherwise: 'unpublished',
});

/** sha256 of manifests/crds.yaml at the tag v3.28.5 of the project: no checksum of it is published. */
const CRDS_SHA256 = '541635bf3e0cd409ff2f5b9b78363ac8901da4565fffaeb4c1507e19461bf4c7';

/** The definitions of Calico's resources, as the project generates them. */
export const CALICO_CRDS = defineArtifact({
  name: 'calico-crds',
  version: CALICO_VERSION,
  onDemand: true,
  format: 'binary',
  path: (version) => `calico/v${version}/crds.yaml`,
  url: (version) => `https://github.com/projectcalico/calico/raw/v${version}/manifests/crds.yaml`,
  members: () => [{ path: '', name: 'calico-crds.yaml' }],
  published: { [CALICO_VERSION]: { amd64: CRDS_SHA256, arm64: CRDS_SHA256 } },
  otherwise: 'unpublished',
});

// By tag only: no digest of them could be verified here. Each mirror of ours builds its own.
const image = <Name extends string>(name: Name, sizeMiB: number) =>
  defineImage({
    name: `calico-${name}`,
    version: CALICO_VERSION,
    upstream: `docker.io/calico/${name}:v${CALICO_VERSION}`,
    required: false,
    onDemand: true,
    sizeMiB,
  });

/** Felix, BIRD and confd of a node. */
export const CALICO_NODE = image('node', 72);
/** The CNI plugins, and what installs them on a node. */
export const CALICO_CNI = image('cni', 37);
/** Takes back the addresses of nodes and pods that are gone. */
export const CALICO_KUBE_CONTROLLERS = image('kube-controllers', 17);
/** Stands between the nodes and the API servers of large clusters. */
export const CALICO_TYPHA = image('typha', 16);
