import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { kubernetesRecipe } from '../../kube/mirror.ts';
import { BUSYBOX, KUBERNETES_TESTS } from './artifacts.ts';

export default [
  {
    kind: 'debian-image',
    image: BUSYBOX,
    package: 'busybox-static',
    program: 'busybox',
    at: 'bin/busybox',
    applets: true,
    entrypoint: [],
    cmd: ['sh'],
  },
  {
    kind: 'go',
    artifacts: [KUBERNETES_TESTS],
    seconds: 600,
    build: (version) => ({
      ...kubernetesRecipe(version),
      builds: [{ pkg: 'github.com/onsi/ginkgo/v2/ginkgo', output: 'ginkgo' }],
      tests: [{ pkg: 'k8s.io/kubernetes/test/e2e', output: 'e2e.test' }],
    }),
  },
] satisfies MirrorRecipe[];
