import type { GoRecipe, MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { FLANNEL, FLANNEL_UDP } from './artifacts.ts';

const MODULE = 'github.com/flannel-io/flannel';

/** Without the imports that match `drop`. */
const flanneld = (version: string, drop: RegExp): GoRecipe => ({
  module: MODULE,
  version: `v${version}`,
  main: { from: 'main.go', drop },
  likeKubernetes: { except: [] },
  builds: [{ pkg: '.', output: 'flanneld' }],
  ldflags: [`-X ${MODULE}/pkg/version.Version=v${version}`],
});

export default [
  {
    kind: 'go',
    artifacts: [FLANNEL],
    seconds: 120,
    // The udp backend is C and only for kernels without vxlan.
    build: (version) => flanneld(version, /pkg\/backend\/(tencentvpc|alivpc|awsvpc|gce|udp)"/),
  },
  {
    kind: 'go',
    artifacts: [FLANNEL_UDP],
    seconds: 130,
    build: (version) => {
      const recipe = flanneld(version, /pkg\/backend\/(tencentvpc|alivpc|awsvpc|gce)"/);
      // Static like the release: runs on hosts of any distribution.
      return {
        ...recipe,
        cgo: true,
        tags: ['netgo', 'osusergo'],
        ldflags: [...recipe.ldflags, '-linkmode external', '-extldflags -static'],
      };
    },
  },
] satisfies MirrorRecipe[];
