import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { ETCD } from './artifacts.ts';

const TOOLS = ['etcdctl', 'etcdutl'];

export default [
  {
    kind: 'go',
    artifacts: [ETCD],
    seconds: 50,
    build: (version) => ({
      module: 'go.etcd.io/etcd/server/v3',
      version: `v${version}`,
      requires: TOOLS.map((tool) => `go.etcd.io/etcd/${tool}/v3 v${version}`),
      builds: [
        { pkg: 'go.etcd.io/etcd/server/v3', output: 'etcd' },
        ...TOOLS.map((tool) => ({ pkg: `go.etcd.io/etcd/${tool}/v3`, output: tool })),
      ],
      likeKubernetes: { except: [/^go\.etcd\.io\//] },
      ldflags: [],
    }),
  },
] satisfies MirrorRecipe[];
