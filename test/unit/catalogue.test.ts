import { expect, test } from 'vitest';
import {
  ARTIFACT_NAMES,
  type Arch,
  artifact,
  artifactFiles,
  DEFAULT_KUBERNETES_VERSION,
  isArtifactName,
  KUBERNETES_BINARIES,
  PREVIOUS_KUBERNETES_VERSION,
} from '../../activities/artifacts/catalogue.ts';
import { IMAGE_NAMES, image, imageFiles } from '../../activities/artifacts/images.ts';

const ARCHES: Arch[] = ['amd64', 'arm64'];
/** The projects that publish no checksums: everything else has one here or beside its release file. */
const UNPUBLISHED = ['flannel'];

test.each(ARCHES)('every artifact for %s has a published digest or is listed as having none', (arch) => {
  for (const kubernetesVersion of [DEFAULT_KUBERNETES_VERSION, PREVIOUS_KUBERNETES_VERSION]) {
    for (const file of artifactFiles({ arch, kubernetesVersion })) {
      if (UNPUBLISHED.includes(file.artifact)) expect(file.digest.kind).toBe('unpublished');
      else if (file.digest.kind === 'known') expect(file.digest.sha256).toMatch(/^[0-9a-f]{64}$/);
      else expect(file.digest).toEqual({ kind: 'beside', url: `${file.url}.sha256` });
    }
  }
});

test('published checksums of the projects match ours, for both Kubernetes versions and both architectures', () => {
  for (const arch of ARCHES) {
    for (const version of [DEFAULT_KUBERNETES_VERSION, PREVIOUS_KUBERNETES_VERSION]) {
      expect(artifact('kubelet', version).file(arch).digest.kind).toBe('known');
      expect(artifact('kubectl', version).file(arch).digest.kind).toBe('known');
    }
    for (const name of ['etcd', 'containerd', 'runc', 'cni-plugins'] as const) {
      expect(artifact(name).file(arch).digest.kind).toBe('known');
    }
  }
});

test('an unknown version has no digest: that of another version must not be used for it', () => {
  expect(artifact('kubelet', '1.36.2').file('amd64').digest.kind).toBe('beside');
  expect(artifact('etcd', '3.6.13').file('amd64').digest.kind).toBe('unpublished');
});

test('paths are the release names under the mirror root, each once', () => {
  const paths = artifactFiles({ arch: 'amd64' }).map(({ mirrorPath }) => mirrorPath);
  expect(new Set(paths).size).toBe(paths.length);
  expect(paths).toEqual([
    'cni-plugins/v1.9.1/cni-plugins-linux-amd64-v1.9.1.tgz',
    'containerd/v2.3.4/containerd-2.3.4-linux-amd64.tar.gz',
    'etcd/v3.6.14/etcd-v3.6.14-linux-amd64.tar.gz',
    'flannel/v0.28.4/flanneld-amd64',
    'kubernetes/v1.36.3/bin/linux/amd64/kube-apiserver',
    'kubernetes/v1.36.3/bin/linux/amd64/kube-controller-manager',
    'kubernetes/v1.36.3/bin/linux/amd64/kube-proxy',
    'kubernetes/v1.36.3/bin/linux/amd64/kube-scheduler',
    'kubernetes/v1.36.3/bin/linux/amd64/kubectl',
    'kubernetes/v1.36.3/bin/linux/amd64/kubelet',
    'registry/v3.1.2/registry_3.1.2_linux_amd64.tar.gz',
    'runc/v1.4.3/runc.amd64',
  ]);
});

test('the release file keeps its name in the mirror, so that one path serves both', () => {
  for (const arch of ARCHES) {
    for (const file of artifactFiles({ arch })) {
      expect(file.url.split('/').at(-1)).toBe(file.mirrorPath.split('/').at(-1));
    }
  }
});

test('a plain binary is its only member, an archive names members inside', () => {
  for (const file of artifactFiles({ arch: 'arm64' })) {
    expect(file.members.length).toBeGreaterThan(0);
    for (const member of file.members) expect(member.path === '').toBe(file.format === 'binary');
  }
});

test('only the Kubernetes binaries follow the asked version', () => {
  const files = artifactFiles({ arch: 'amd64', kubernetesVersion: '1.35.4' });
  const following = files.filter(({ version }) => version === '1.35.4').map((file) => file.artifact);
  expect(following.sort()).toEqual([...KUBERNETES_BINARIES].sort());
});

test('names are distinguished', () => {
  expect(ARTIFACT_NAMES.every(isArtifactName)).toBe(true);
  expect(isArtifactName('toString')).toBe(false);
});

test('every image has its own tar and an upstream reference with a tag', () => {
  const paths = imageFiles({ arch: 'amd64' }).map(({ mirrorPath }) => mirrorPath);
  expect(new Set(paths).size).toBe(IMAGE_NAMES.length);
  expect(image('pause', 'arm64').mirrorPath).toBe('images/pause-3.10.1-arm64.tar');
  for (const file of imageFiles({ arch: 'amd64' }))
    expect(file.upstream).toMatch(/^[a-z0-9.-]+\/[a-z0-9./-]+:v?[0-9.]+$/);
});
