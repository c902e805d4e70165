import { defineArtifact, githubRelease } from '../../artifacts/artifact.ts';

const VERSION = '0.28.4';
const release = (version: string, arch: string): string =>
  githubRelease('flannel-io/flannel', version, `flanneld-${arch}`);

export const FLANNEL = defineArtifact({
  name: 'flannel',
  version: VERSION,
  format: 'binary',
  path: (version, arch) => `flannel/v${version}/flanneld-${arch}`,
  url: release,
  members: () => [{ path: '', name: 'flanneld' }],
  otherwise: 'unpublished',
});

/** flanneld with the backend udp, which is C. The release has it; a mirror that builds leaves it out of the other file. */
export const FLANNEL_UDP = defineArtifact({
  name: 'flannel-udp',
  version: VERSION,
  onDemand: true,
  format: 'binary',
  path: (version, arch) => `flannel/v${version}/udp/flanneld-${arch}`,
  url: release,
  members: () => [{ path: '', name: 'flanneld' }],
  otherwise: 'unpublished',
});
