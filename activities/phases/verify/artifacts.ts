import { defineArtifact, within } from '../../artifacts/artifact.ts';
import { defineImage } from '../../artifacts/image.ts';
import { DEFAULT_KUBERNETES_VERSION } from '../../kube/artifacts.ts';

/** What test pods run. */
export const BUSYBOX = defineImage({
  name: 'busybox',
  version: '1.35.0',
  upstream: 'docker.io/library/busybox:1.35.0',
  required: true,
  sizeMiB: 1.1,
});

/** The official end-to-end suite of Kubernetes, and the program that runs it in parallel. */
export const KUBERNETES_TESTS = defineArtifact({
  name: 'kubernetes-test',
  version: DEFAULT_KUBERNETES_VERSION,
  followsKubernetes: true,
  onDemand: true,
  format: 'tar.gz',
  path: (version, arch) => `kubernetes/v${version}/kubernetes-test-linux-${arch}.tar.gz`,
  url: (version, arch) => `https://dl.k8s.io/v${version}/kubernetes-test-linux-${arch}.tar.gz`,
  members: () => within('kubernetes/test/bin/', ['e2e.test', 'ginkgo']),
  otherwise: 'beside',
});

/** An image of the suite, at the version that the suite of Kubernetes 1.36 names (test/utils/image/manifest.go). */
const suiteImage = (name: string, version: string, sizeMiB: number) =>
  defineImage({
    name,
    version,
    upstream: `registry.k8s.io/e2e-test-images/${name}:${version}`,
    required: false,
    onDemand: true,
    sizeMiB,
  });

export const AGNHOST = suiteImage('agnhost', '2.63.0', 60);
export const DNS_TESTING = suiteImage('glibc-dns-testing', '2.0.0', 60);
export const NGINX = suiteImage('nginx', '1.15-4', 50);

/** The suite runs the pause image of its own version; the runtime of the cluster keeps another tag of it. */
export const SUITE_PAUSE = defineImage({
  name: 'suite-pause',
  repository: 'pause',
  version: '3.10.2',
  upstream: 'registry.k8s.io/pause:3.10.2',
  required: false,
  onDemand: true,
  sizeMiB: 0.4,
});
