import { defineArtifact, githubRelease, within } from '../artifacts/artifact.ts';

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
export type KubernetesBinary = (typeof KUBERNETES_BINARIES)[number];

/** Sums of releases as https://dl.k8s.io stated them on 2026-08-21. The others are read from the file beside the binary. */
const PUBLISHED: Partial<Record<KubernetesBinary, Record<string, { amd64: string; arm64: string }>>> = {
  kubelet: {
    '1.36.3': {
      amd64: '46707a53209f826ad0f0d62371ac69cd00e78fd9a8176cf5f6f87f18f7f8b718',
      arm64: '57205a5daf5883873d87b4914e1e00bdd7707acd075714788cfb0fc1f60bc414',
    },
    '1.35.4': {
      amd64: '983a6ba5a49823dcdd745c674e5e2416377dd27d6ad1b42d2befa0fb961a19f6',
      arm64: 'd710eef03bb4ad164bb77af9be5b11b44f874e2fc08153c7d383420d685f73e8',
    },
  },
  kubectl: {
    '1.36.3': {
      amd64: 'ebbd080e7c2e275093b55915722043257eb24004363e20acb3c4d71919f88336',
      arm64: '3d86f24401c41ae5a46ac50eef8865fe891d3647d324a0836f6c63757a126e62',
    },
    '1.35.4': {
      amd64: 'b529430df69a688fd61b64ad2299edb5fd71cb58be2a4779dba624c7d3510efd',
      arm64: '6a5a4cc4e396d7626a7a693a3044b51c75520f81db30fe6816c2554e53be336f',
    },
  },
};

const kubernetes = (name: KubernetesBinary) =>
  defineArtifact({
    name,
    version: DEFAULT_KUBERNETES_VERSION,
    followsKubernetes: true,
    format: 'binary',
    path: (version, arch) => `kubernetes/v${version}/bin/linux/${arch}/${name}`,
    url: (version, arch) => `https://dl.k8s.io/release/v${version}/bin/linux/${arch}/${name}`,
    members: () => [{ path: '', name }],
    published: PUBLISHED[name] ?? {},
    otherwise: 'beside',
  });

/** The binaries of Kubernetes, each an artifact. */
export const KUBERNETES = {
  'kube-apiserver': kubernetes('kube-apiserver'),
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  'kube-scheduler': kubernetes('kube-scheduler'),
  kubelet: kubernetes('kubelet'),
  'kube-proxy': kubernetes('kube-proxy'),
  kubectl: kubernetes('kubectl'),
} as const satisfies Record<KubernetesBinary, unknown>;

/** What the CNI plugins' release archive holds. */
export const CNI_PLUGIN_NAMES = [
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

/** The CNI plugins that container runtimes and pod networks are built on. */
export const CNI_PLUGINS = defineArtifact({
  name: 'cni-plugins',
  version: '1.9.1',
  format: 'tar.gz',
  path: (version, arch) => `cni-plugins/v${version}/cni-plugins-linux-${arch}-v${version}.tgz`,
  url: (version, arch) =>
    githubRelease('containernetworking/plugins', version, `cni-plugins-linux-${arch}-v${version}.tgz`),
  members: () => within('./', CNI_PLUGIN_NAMES),
  published: {
    '1.9.1': {
      amd64: 'b98f74a0f8522f0a83867178729c1aa70f2158f90c45a2ca8fa791db1c76b303',
      arm64: '56171987d3947707c3563db2f4001bccaf50fd63468611b9f3cbecb1375ee7ec',
    },
  },
  otherwise: 'beside',
});
