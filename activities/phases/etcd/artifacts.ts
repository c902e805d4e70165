import { defineArtifact, githubRelease, within } from '../../artifacts/artifact.ts';

export const ETCD = defineArtifact({
  name: 'etcd',
  version: '3.6.14',
  format: 'tar.gz',
  path: (version, arch) => `etcd/v${version}/etcd-v${version}-linux-${arch}.tar.gz`,
  url: (version, arch) => githubRelease('etcd-io/etcd', version, `etcd-v${version}-linux-${arch}.tar.gz`),
  members: (version, arch) => within(`etcd-v${version}-linux-${arch}/`, ['etcd', 'etcdctl', 'etcdutl']),
  // The release's SHA256SUMS, as of 2026-08-21.
  published: {
    '3.6.14': {
      amd64: 'ffe840ff9295808e88cce2794a18a5ac87f12a5203c8314d0bf6aa119b41bac5',
      arm64: 'fa1b80565ee6fc2df1ae6f57a508b221f3ecc7d591c317c581cd8281b0842b3e',
    },
  },
  otherwise: 'unpublished',
});
