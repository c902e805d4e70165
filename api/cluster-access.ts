import { ArtifactResolver } from '../activities/artifacts/mirror-artifacts.ts';
import type { HostFacts } from '../activities/host/types.ts';
import { adminClient } from '../activities/kube/identities.ts';
import { imageRef } from '../activities/kube/images.ts';
import { API_SERVER_PORT } from '../activities/kube/paths.ts';
import { createPki } from '../activities/pki/pki.ts';
import { hostsWithRole } from '../contracts/cluster.ts';
import type { Store } from '../store/index.ts';
import type { ApiDeps } from './deps.ts';

/** How long GET /clusters/:name waits for the mirror's manifest, ms. */
const MIRROR_WAIT_MS = 2_000;

/** What people need to reach a built cluster: its kubeconfig, and an image that its hosts can pull. */
export function clusterAccess(store: Pick<Store, 'secrets'>): Pick<ApiDeps, 'kubeconfig' | 'smokeImage'> {
  const artifacts = new ArtifactResolver();
  return {
    async kubeconfig(cluster, spec) {
      // Mode `check` makes no authority: without one the cluster was never built.
      if ((await store.secrets.get(`cluster/${cluster}`, 'pki/ca/kubernetes')) === null) return null;
      const pki = createPki({ secrets: store.secrets, cluster, mode: 'check' });
      const [first] = hostsWithRole(spec, 'control-plane');
      const { value } = await pki.kubeconfig(adminClient(), `https://${first!.address}:${API_SERVER_PORT}`);
      return value;
    },
    async smokeImage(spec) {
      const found = imageRef(
        { cluster: spec, artifacts: artifacts.sourceFor(spec), facts: { arch: 'amd64' } as HostFacts },
        'busybox',
      ).catch(() => null);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<null>((resolve) => {
        timer = setTimeout(() => resolve(null), MIRROR_WAIT_MS);
      });
      return Promise.race([found, late]).finally(() => clearTimeout(timer));
    },
  };
}
