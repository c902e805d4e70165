import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { FLANNEL } from './artifacts.ts';

const MODULE = 'github.com/flannel-io/flannel';

export default [
  {
    kind: 'go',
    artifacts: [FLANNEL],
    seconds: 120,
    build: (version) => ({
      module: MODULE,
      version: `v${version}`,
      // The udp backend is C and only for kernels without vxlan.
      main: { from: 'main.go', drop: /pkg\/backend\/(tencentvpc|alivpc|awsvpc|gce|udp)"/ },
      likeKubernetes: { except: [] },
      builds: [{ pkg: '.', output: 'flanneld' }],
      ldflags: [`-X ${MODULE}/pkg/version.Version=v${version}`],
    }),
  },
] satisfies MirrorRecipe[];
