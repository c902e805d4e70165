import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { KUBERNETES } from '../../kube/artifacts.ts';
import { kubernetesRecipe } from '../../kube/mirror.ts';
import { ETCD } from '../etcd/public.ts';
import { DAEMON_IMAGES, DAEMON_NAMES, ETCD_IMAGE, KUBEADM } from './artifacts.ts';

export default [
  {
    kind: 'go',
    artifacts: [KUBEADM],
    // Nearly all of its packages are in the build cache of Kubernetes' other binaries.
    seconds: 60,
    build: (version) => ({
      ...kubernetesRecipe(version),
      builds: [{ pkg: 'k8s.io/kubernetes/cmd/kubeadm', output: 'kubeadm' }],
    }),
  },
  ...DAEMON_NAMES.map((name) => ({
    kind: 'artifact-image' as const,
    image: DAEMON_IMAGES[name],
    artifact: KUBERNETES[name],
  })),
  { kind: 'artifact-image', image: ETCD_IMAGE, artifact: ETCD },
] satisfies MirrorRecipe[];
