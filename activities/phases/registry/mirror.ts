import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { REGISTRY } from './artifacts.ts';

const MODULE = 'github.com/distribution/distribution/v3';

export default [
  {
    kind: 'go',
    artifacts: [REGISTRY],
    seconds: 72,
    build: (version) => ({
      module: MODULE,
      version: `v${version}`,
      main: { from: 'cmd/registry/main.go', drop: /storage\/driver\/(azure|gcs|s3-aws|middleware\/cloudfront)"/ },
      likeKubernetes: { except: [/^go\.opentelemetry\.io\//] },
      builds: [{ pkg: '.', output: 'registry' }],
      ldflags: [`-X ${MODULE}/version.version=v${version}`, `-X ${MODULE}/version.mainpkg=${MODULE}`],
    }),
  },
] satisfies MirrorRecipe[];
