import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { METRICS_SERVER } from './artifacts.ts';

export default [
  {
    kind: 'go-image',
    image: METRICS_SERVER,
    // The user of the official image.
    user: '65534:65534',
    seconds: 180,
    build: (version) => ({
      module: 'sigs.k8s.io/metrics-server',
      version: `v${version}`,
      likeKubernetes: { except: [] },
      builds: [{ pkg: 'sigs.k8s.io/metrics-server/cmd/metrics-server', output: 'metrics-server' }],
      ldflags: [`-X k8s.io/client-go/pkg/version.gitVersion=v${version}`],
    }),
  },
] satisfies MirrorRecipe[];
