import { expect, test } from 'vitest';
import { type Arch, type Artifact, defineArtifact } from '../../activities/artifacts/artifact.ts';
import { defineImage } from '../../activities/artifacts/image.ts';
import {
  CNI_PLUGINS,
  DEFAULT_KUBERNETES_VERSION,
  KUBERNETES,
  KUBERNETES_BINARIES,
  PREVIOUS_KUBERNETES_VERSION,
} from '../../activities/kube/artifacts.ts';
import { repositoryOf } from '../../activities/kube/images.ts';
import { artifactFiles, CATALOGUE, catalogueOf } from '../../activities/phases/catalogue.ts';
import { ETCD } from '../../activities/phases/etcd/artifacts.ts';
import { CONTAINERD, PAUSE, RUNC } from '../../activities/phases/runtime/artifacts.ts';

const ARCHES: Arch[] = ['amd64', 'arm64'];
/** The projects that publish no checksums: everything else has one here or beside its release file. */
const UNPUBLISHED = ['flannel', ...madeOnDemand()];

/** Files that no project publishes under a name and sum of its own: our mirrors build them on demand. */
function madeOnDemand(): string[] {
  return CATALOGUE.artifacts
    .filter(({ onDemand, file, version }) => onDemand && file(version, 'amd64').digest.kind === 'unpublished')
    .map(({ name }) => name);
}

test.each(ARCHES)('every artifact for %s has a published digest or is listed as having none', (arch) => {
  for (const kubernetesVersion of [DEFAULT_KUBERNETES_VERSION, PREVIOUS_KUBERNETES_VERSION]) {
    for (const file of artifactFiles(CATALOGUE, { arch, kubernetesVersion })) {
      if (UNPUBLISHED.includes(file.artifact)) expect(file.digest.kind).toBe('unpublished');
      else if (file.digest.kind === 'known') expect(file.digest.sha256).toMatch(/^[0-9a-f]{64}$/);
      else expect(file.digest).toEqual({ kind: 'beside', url: `${file.url}.sha256` });
    }
  }
});

test('published checksums of the projects match ours, for both Kubernetes versions and both architectures', () => {
  for (const arch of ARCHES) {
    for (const version of [DEFAULT_KUBERNETES_VERSION, PREVIOUS_KUBERNETES_VERSION]) {
      expect(KUBERNETES.kubelet.file(version, arch).digest.kind).toBe('known');
      expect(KUBERNETES.kubectl.file(version, arch).digest.kind).toBe('known');
    }
    for (const { file, version } of [ETCD, CONTAINERD, RUNC, CNI_PLUGINS]) {
      expect(file(version, arch).digest.kind).toBe('known');
    }
  }
});

test('an unknown version has no digest: that of another version must not be used for it', () => {
  expect(KUBERNETES.kubelet.file('1.36.2', 'amd64').digest.kind).toBe('beside');
  expect(ETCD.file('3.6.13', 'amd64').digest.kind).toBe('unpublished');
});

test('paths are the release names under the mirror root, each once', () => {
  const paths = artifactFiles(CATALOGUE, { arch: 'amd64' }).map(({ mirrorPath }) => mirrorPath);
  expect(new Set(paths).size).toBe(paths.length);
  const always = CATALOGUE.artifacts.filter(({ onDemand }) => !onDemand);
  expect(
    artifactFiles({ ...CATALOGUE, artifacts: always }, { arch: 'amd64' }).map(({ mirrorPath }) => mirrorPath),
  ).toEqual([
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
    for (const file of artifactFiles(CATALOGUE, { arch })) {
      expect(file.url.split('/').at(-1)).toBe(file.mirrorPath.split('/').at(-1));
    }
  }
});

test('a plain binary is its only member, an archive names members inside', () => {
  for (const file of artifactFiles(CATALOGUE, { arch: 'arm64' })) {
    expect(file.members.length).toBeGreaterThan(0);
    for (const member of file.members) expect(member.path === '').toBe(file.format === 'binary');
  }
});

test('only programs of Kubernetes follow the asked version', () => {
  const files = artifactFiles(CATALOGUE, { arch: 'amd64', kubernetesVersion: '1.35.4' });
  const following = files.filter(({ version }) => version === '1.35.4').map((file) => file.artifact);
  expect(following).toEqual(expect.arrayContaining([...KUBERNETES_BINARIES]));
  expect(following.filter((name) => !name.startsWith('kube'))).toEqual([]);
});

test('a name that two phases declare is refused with both', () => {
  const artifact = (name: string): Artifact =>
    defineArtifact({
      ...{ name, version: '1.0.0', format: 'binary', otherwise: 'beside' },
      ...{ path: () => name, url: () => `https://example.com/${name}`, members: () => [{ path: '', name }] },
    });
  const image = defineImage({ name: 'etcd', version: '1', upstream: 'example.com/etcd:1', required: true, sizeMiB: 1 });
  const one = { owner: 'phase one', exports: { ETCD: artifact('etcd'), help: () => {}, NAMES: ['a'] } };
  expect(catalogueOf([one, { owner: 'phase two', exports: { tool: artifact('cilium'), image } }])).toMatchObject({
    artifacts: [{ name: 'cilium' }, { name: 'etcd' }],
    images: [{ name: 'etcd' }],
  });
  const twice = [one, { owner: 'phase two', exports: { many: { first: artifact('etcd') } } }];
  expect(() => catalogueOf(twice)).toThrow('artifact etcd is declared by phase one and by phase two');
});

const images = () => CATALOGUE.images.map((image) => image.file('amd64'));

test('every image has its own tar and an upstream reference with a tag', () => {
  const paths = images().map(({ mirrorPath }) => mirrorPath);
  expect(new Set(paths).size).toBe(CATALOGUE.images.length);
  expect(PAUSE.file('arm64').mirrorPath).toBe('images/pause-3.10.1-arm64.tar');
  for (const file of images()) expect(file.upstream).toMatch(/^[a-z0-9.-]+\/[a-z0-9./-]+:v?[0-9.]+(-\d+)?$/);
});

test('no two images have one name in the registry of a cluster; two versions of one image share a repository', () => {
  const names = CATALOGUE.images.map((image) => `${repositoryOf(image)}:${image.version}`);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(expect.arrayContaining(['pause:3.10.1', 'pause:3.10.2']));
});
