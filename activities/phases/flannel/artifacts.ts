import { defineArtifact, githubRelease } from '../../artifacts/artifact.ts';

export const FLANNEL = defineArtifact({
  name: 'flannel',
  version: '0.28.4',
  format: 'binary',
  path: (version, arch) => `flannel/v${version}/flanneld-${arch}`,
  url: (version, arch) => githubRelease('flannel-io/flannel', version, `flanneld-${arch}`),
  members: () => [{ path: '', name: 'flanneld' }],
  otherwise: 'unpublished',
});
