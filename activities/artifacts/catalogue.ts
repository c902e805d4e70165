import { RELEASED_SHA256 } from './released-sha256.ts';

/** Machine architectures, in Go's and Debian's spelling. */
export type Arch = 'amd64' | 'arm64';

/** How the official release of a file can be checked. */
export type PublishedDigest =
  /** The sum is known here. */
  | { readonly kind: 'known'; readonly sha256: string }
  /** The project puts a checksum file next to the release file. */
  | { readonly kind: 'beside'; readonly url: string }
  /** Upstream publishes no sum, so a download cannot be trusted: build it or bring it. */
  | { readonly kind: 'unpublished' };

/** One file inside an artifact that hosts install. */
export interface ArtifactMember {
  /** Path inside the archive; empty for a plain binary. */
  readonly path: string;
  /** File name once installed. */
  readonly name: string;
}

/** One file of the mirror. */
export interface ArtifactFile {
  readonly artifact: ArtifactName;
  readonly version: string;
  readonly arch: Arch;
  /** Path under the mirror's root; the same name as the official release file. */
  readonly mirrorPath: string;
  /** The official release file. */
  readonly url: string;
  readonly digest: PublishedDigest;
  readonly format: 'binary' | 'tar.gz';
  readonly members: readonly ArtifactMember[];
}

/** An artifact at one version, for any architecture. */
export interface CatalogueEntry {
  readonly name: ArtifactName;
  readonly version: string;
  readonly file: (arch: Arch) => ArtifactFile;
}

interface Recipe {
  readonly version: string;
  readonly format: ArtifactFile['format'];
  readonly path: (version: string, arch: Arch) => string;
  readonly url: (version: string, arch: Arch) => string;
  /** How to check it where RELEASED_SHA256 does not know the sum. */
  readonly otherwise: 'beside' | 'unpublished';
  readonly members: (version: string, arch: Arch) => readonly ArtifactMember[];
}

/** The Kubernetes version that the catalogue, the samples and the lab use by default. */
export const DEFAULT_KUBERNETES_VERSION = '1.36.3';
/** The version that upgrade tests start from. */
export const PREVIOUS_KUBERNETES_VERSION = '1.35.4';
/** The plain binaries of a Kubernetes release that hosts run. */
export const KUBERNETES_BINARIES = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
] as const;
/** What the CNI plugins' release archive holds. */
export const CNI_PLUGINS = [
  'bandwidth',
  'bridge',
  'dhcp',
  'dummy',
  'firewall',
  'host-device',
  'host-local',
  'ipvlan',
  'loopback',
  'macvlan',
  'portmap',
  'ptp',
  'sbr',
  'static',
  'tap',
  'tuning',
  'vlan',
  'vrf',
] as const;

export type KubernetesBinary = (typeof KUBERNETES_BINARIES)[number];
export type ArtifactName = KubernetesBinary | 'etcd' | 'containerd' | 'runc' | 'cni-plugins' | 'flannel' | 'registry';

const GITHUB = 'https://github.com';

const kubernetes = (name: KubernetesBinary): Recipe => ({
  version: DEFAULT_KUBERNETES_VERSION,
  format: 'binary',
  path: (version, arch) => `kubernetes/v${version}/bin/linux/${arch}/${name}`,
  url: (version, arch) => `https://dl.k8s.io/release/v${version}/bin/linux/${arch}/${name}`,
  otherwise: 'beside',
  members: () => [{ path: '', name }],
});

const within = (folder: string, names: readonly string[]): ArtifactMember[] =>
  names.map((name) => ({ path: `${folder}${name}`, name }));

const RECIPES: Readonly<Record<ArtifactName, Recipe>> = {
  'kube-apiserver': kubernetes('kube-apiserver'),
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  'kube-scheduler': kubernetes('kube-scheduler'),
  kubelet: kubernetes('kubelet'),
  'kube-proxy': kubernetes('kube-proxy'),
  kubectl: kubernetes('kubectl'),
  etcd: {
    version: '3.6.14',
    format: 'tar.gz',
    path: (version, arch) => `etcd/v${version}/etcd-v${version}-linux-${arch}.tar.gz`,
    url: (version, arch) =>
      `${GITHUB}/etcd-io/etcd/releases/download/v${version}/etcd-v${version}-linux-${arch}.tar.gz`,
    otherwise: 'unpublished',
    members: (version, arch) => within(`etcd-v${version}-linux-${arch}/`, ['etcd', 'etcdctl', 'etcdutl']),
  },
  containerd: {
    version: '2.3.4',
    format: 'tar.gz',
    path: (version, arch) => `containerd/v${version}/containerd-${version}-linux-${arch}.tar.gz`,
    url: (version, arch) =>
      `${GITHUB}/containerd/containerd/releases/download/v${version}/containerd-${version}-linux-${arch}.tar.gz`,
    otherwise: 'unpublished',
    members: () => within('bin/', ['containerd', 'containerd-shim-runc-v2', 'ctr']),
  },
  runc: {
    version: '1.4.3',
    format: 'binary',
    path: (version, arch) => `runc/v${version}/runc.${arch}`,
    url: (version, arch) => `${GITHUB}/opencontainers/runc/releases/download/v${version}/runc.${arch}`,
    otherwise: 'unpublished',
    members: () => [{ path: '', name: 'runc' }],
  },
  'cni-plugins': {
    version: '1.9.1',
    format: 'tar.gz',
    path: (version, arch) => `cni-plugins/v${version}/cni-plugins-linux-${arch}-v${version}.tgz`,
    url: (version, arch) =>
      `${GITHUB}/containernetworking/plugins/releases/download/v${version}/cni-plugins-linux-${arch}-v${version}.tgz`,
    otherwise: 'beside',
    members: () => within('./', CNI_PLUGINS),
  },
  flannel: {
    version: '0.28.4',
    format: 'binary',
    path: (version, arch) => `flannel/v${version}/flanneld-${arch}`,
    url: (version, arch) => `${GITHUB}/flannel-io/flannel/releases/download/v${version}/flanneld-${arch}`,
    otherwise: 'unpublished',
    members: () => [{ path: '', name: 'flanneld' }],
  },
  registry: {
    version: '3.1.2',
    format: 'tar.gz',
    path: (version, arch) => `registry/v${version}/registry_${version}_linux_${arch}.tar.gz`,
    url: (version, arch) =>
      `${GITHUB}/distribution/distribution/releases/download/v${version}/registry_${version}_linux_${arch}.tar.gz`,
    otherwise: 'beside',
    members: () => [{ path: 'registry', name: 'registry' }],
  },
};

/** Every artifact name, sorted. */
export const ARTIFACT_NAMES: readonly ArtifactName[] = (Object.keys(RECIPES) as ArtifactName[]).sort();

/** True when the text names an artifact of the catalogue. */
export function isArtifactName(text: string): text is ArtifactName {
  return Object.hasOwn(RECIPES, text);
}

/** The artifact of that name at the given version (bare, such as 1.36.3), or at the catalogue's default. */
export function artifact(name: ArtifactName, version: string = RECIPES[name].version): CatalogueEntry {
  return { name, version, file: (arch) => fileOf(name, version, arch) };
}

/** Every file that the hosts of a cluster of that Kubernetes version may ask for; all else at the catalogue's version. */
export function artifactFiles(options: { arch: Arch; kubernetesVersion?: string | undefined }): ArtifactFile[] {
  const kubernetesVersion = options.kubernetesVersion ?? DEFAULT_KUBERNETES_VERSION;
  const isKubernetes = (name: string): boolean => (KUBERNETES_BINARIES as readonly string[]).includes(name);
  return ARTIFACT_NAMES.map((name) =>
    artifact(name, isKubernetes(name) ? kubernetesVersion : undefined).file(options.arch),
  );
}

function fileOf(name: ArtifactName, version: string, arch: Arch): ArtifactFile {
  const recipe = RECIPES[name];
  const url = recipe.url(version, arch);
  const known = RELEASED_SHA256[name]?.[version]?.[arch];
  let digest: PublishedDigest = { kind: 'unpublished' };
  if (known !== undefined) digest = { kind: 'known', sha256: known };
  else if (recipe.otherwise === 'beside') digest = { kind: 'beside', url: `${url}.sha256` };
  return {
    artifact: name,
    version,
    arch,
    mirrorPath: recipe.path(version, arch),
    url,
    digest,
    format: recipe.format,
    members: recipe.members(version, arch),
  };
}
