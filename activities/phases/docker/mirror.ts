import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { CRI_DOCKERD } from './artifacts.ts';

const MODULE = 'github.com/Mirantis/cri-dockerd';

export default [
  {
    kind: 'go',
    artifacts: [CRI_DOCKERD],
    seconds: 300,
    build: (version) => ({
      module: MODULE,
      version: `v${version}`,
      // It compiles with just those versions of Kubernetes' libraries that it replaces.
      ownReplaces: true,
      edits: [
        {
          // kubelet 1.36 takes an address without a scheme for https, and cri-dockerd serves http: kubectl exec would fail.
          file: 'cmd/server.go',
          from: 'BaseURL:                         &url.URL{Path: "/cri/"},',
          to: 'BaseURL:                         &url.URL{Scheme: "http", Path: "/cri/"},',
        },
      ],
      builds: [{ pkg: MODULE, output: 'cri-dockerd' }],
      ldflags: [`-X ${MODULE}/cmd/version.Version=${version}`],
    }),
  },
] satisfies MirrorRecipe[];
