import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { DEFAULT_KUBERNETES_VERSION } from '../../kube/artifacts.ts';
import { kubernetesRecipe } from '../../kube/mirror.ts';
import { pauseRecipe } from '../runtime/public.ts';
import { AGNHOST, BUSYBOX, DNS_TESTING, KUBERNETES_TESTS, NGINX, SUITE_PAUSE } from './artifacts.ts';

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
  pauseRecipe(SUITE_PAUSE),
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
  {
    kind: 'go-set',
    unit: 'conformance-images',
    seconds: 60,
    // Their tags are versions of the images, not of the module.
    build: () => ({
      ...kubernetesRecipe(DEFAULT_KUBERNETES_VERSION),
      builds: [{ pkg: 'k8s.io/kubernetes/test/images/agnhost', output: 'agnhost' }],
    }),
    artifacts: [],
    images: [
      {
        image: AGNHOST,
        // What the specs call in pods of this image, beside agnhost itself.
        packages: ['dnsutils', 'curl', 'iproute2', 'iptables', 'netcat-openbsd'],
        programs: { agnhost: 'agnhost', 'agnhost-2': 'agnhost' },
        files: ['localhost.crt', 'localhost.key'].map((name) => ({
          from: `test/images/agnhost/porter/${name}`,
          to: name,
        })),
        writable: ['uploads'],
        entrypoint: ['/agnhost'],
        cmd: ['pause'],
      },
      { image: DNS_TESTING, packages: ['dnsutils'], programs: {}, entrypoint: [], cmd: ['sh'] },
      {
        image: NGINX,
        packages: ['nginx-light'],
        programs: {},
        writable: ['var/log/nginx'],
        entrypoint: ['nginx'],
        cmd: ['-g', 'daemon off;'],
      },
    ],
  },
] satisfies MirrorRecipe[];
