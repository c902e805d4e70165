import { defineArtifact, githubRelease } from '../../artifacts/artifact.ts';

/** The newest release with sums that the project's release page stated on 2026-08-21. Not tried here: no mirror of ours can build it. */
export const RELEASED_CRI_DOCKERD = '0.3.26';

/**
 * The Container Runtime Interface for Docker. 0.4 refuses the Docker of Debian 12 and Ubuntu 22.04 (API 1.41). Not in every mirror:
 * it is built in five minutes, for clusters with this phase alone.
 */
export const CRI_DOCKERD = defineArtifact({
  name: 'cri-dockerd',
  version: '0.3.17',
  onDemand: true,
  format: 'tar.gz',
  path: (version, arch) => `cri-dockerd/v${version}/cri-dockerd-${version}.${arch}.tgz`,
  url: (version, arch) => githubRelease('Mirantis/cri-dockerd', version, `cri-dockerd-${version}.${arch}.tgz`),
  members: () => [{ path: 'cri-dockerd/cri-dockerd', name: 'cri-dockerd' }],
  published: {
    [RELEASED_CRI_DOCKERD]: {
      amd64: '87f31c964d974cdce9c883c79b69e355c3c323e51d3a7d36cda140e6df7b8d5a',
      arm64: 'd33e46e0d7ce28b22fdf7fa6327961cf0220ec3814fd7cc482f8cb77e7fd986a',
    },
  },
  otherwise: 'unpublished',
});
