import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { CONTAINERD, PAUSE, RUNC } from './artifacts.ts';
import { pauseRecipe } from './pause-recipe.ts';

const MODULE = 'github.com/containerd/containerd/v2';

export default [
  {
    kind: 'go',
    artifacts: [CONTAINERD],
    seconds: 60,
    build: (version) => ({
      module: MODULE,
      version: `v${version}`,
      // Snapshotters that need C libraries; overlayfs is the usual one.
      tags: ['no_btrfs', 'no_devmapper', 'no_zfs'],
      // Its own libraries, and those that have what the versions of Kubernetes lack.
      likeKubernetes: {
        except: [/^github\.com\/(containerd|opencontainers|moby|grpc-ecosystem)\//, /^go\.opentelemetry\.io\//],
      },
      builds: ['containerd', 'containerd-shim-runc-v2', 'ctr'].map((name) => ({
        pkg: `${MODULE}/cmd/${name}`,
        output: name,
      })),
      ldflags: [`-X ${MODULE}/version.Version=v${version}`],
    }),
  },
  {
    kind: 'go',
    artifacts: [RUNC],
    seconds: 10,
    build: (version) => ({
      module: 'github.com/opencontainers/runc',
      version: `v${version}`,
      cgo: true,
      // Static like the release: runs on hosts of any distribution.
      tags: ['seccomp', 'netgo', 'osusergo'],
      builds: [{ pkg: 'github.com/opencontainers/runc', output: 'runc' }],
      ldflags: [`-X main.version=${version}`, '-extldflags -static'],
    }),
  },
  pauseRecipe(PAUSE),
] satisfies MirrorRecipe[];
