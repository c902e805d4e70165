import { defineArtifact, githubRelease } from '../../artifacts/artifact.ts';

/** The registry of the distribution project. */
export const REGISTRY = defineArtifact({
  name: 'registry',
  version: '3.1.2',
  format: 'tar.gz',
  path: (version, arch) => `registry/v${version}/registry_${version}_linux_${arch}.tar.gz`,
  url: (version, arch) =>
    githubRelease('distribution/distribution', version, `registry_${version}_linux_${arch}.tar.gz`),
  members: () => [{ path: 'registry', name: 'registry' }],
  otherwise: 'beside',
});
