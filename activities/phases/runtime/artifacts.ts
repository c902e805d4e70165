import { defineArtifact, githubRelease, within } from '../../artifacts/artifact.ts';
import { defineImage } from '../../artifacts/image.ts';

// Published sums as the projects' own checksum files stated them on 2026-08-21.

export const CONTAINERD = defineArtifact({
  name: 'containerd',
  version: '2.3.4',
  format: 'tar.gz',
  path: (version, arch) => `containerd/v${version}/containerd-${version}-linux-${arch}.tar.gz`,
  url: (version, arch) => githubRelease('containerd/containerd', version, `containerd-${version}-linux-${arch}.tar.gz`),
  members: () => within('bin/', ['containerd', 'containerd-shim-runc-v2', 'ctr']),
  published: {
    '2.3.4': {
      amd64: '9d68969855fbf676cdb8ed758e420fb048d61f984f61de3e53eddfebe484d168',
      arm64: 'a985fbb7e18fc0362d31a055338f5d7b0e087a3e27f14c70d1c5965399a29f95',
    },
  },
  otherwise: 'unpublished',
});

export const RUNC = defineArtifact({
  name: 'runc',
  version: '1.4.3',
  format: 'binary',
  path: (version, arch) => `runc/v${version}/runc.${arch}`,
  url: (version, arch) => githubRelease('opencontainers/runc', version, `runc.${arch}`),
  members: () => [{ path: '', name: 'runc' }],
  published: {
    '1.4.3': {
      amd64: 'f6ae8efc0fa40079e1475e97cbe9d1bd3f106a28d6af78a11d9f1bd565515e60',
      arm64: '633301e2e32f8a5ad54031aab4901eb00308bec677dd15faa2751e8f9dab5ca4',
    },
  },
  otherwise: 'unpublished',
});

/** Holds the namespaces of each pod. */
export const PAUSE = defineImage({
  name: 'pause',
  version: '3.10.1',
  upstream: 'registry.k8s.io/pause:3.10.1',
  required: true,
  sizeMiB: 0.4,
});
