import { ArtifactResolver } from '../activities/artifacts/mirror-artifacts.ts';
import type { HostFacts } from '../activities/host/types.ts';
import { adminClient, personalClient } from '../activities/kube/identities.ts';
import { imageRef } from '../activities/kube/images.ts';
import { API_SERVER_PORT } from '../activities/kube/paths.ts';
import { createPki } from '../activities/pki/pki.ts';
import { type ClusterSpec, hostsWithRole } from '../contracts/cluster.ts';
import type { Store } from '../store/index.ts';
import type { ApiDeps } from './deps.ts';

/** How long GET /clusters/:name waits for the mirror's manifest, ms. */
const MIRROR_WAIT_MS = 2_000;

/** What people need to reach a built cluster: its kubeconfig, and an image that its hosts can pull. */
export function clusterAccess(
  store: Pick<Store, 'secrets' | 'projections'>,
): Pick<ApiDeps, 'kubeconfig' | 'personalKubeconfig' | 'smokeImage'> {
  const artifacts = new ArtifactResolver();
  /** Mode `check` makes no authority: without one the cluster was never built. */
  const pkiOf = async (cluster: string) =>
    (await store.secrets.get(`cluster/${cluster}`, 'pki/ca/kubernetes')) === null
      ? null
      : createPki({ secrets: store.secrets, cluster, mode: 'check' });
  /** The first control plane that is not in quarantine. */
  const serverOf = async (cluster: string, spec: ClusterSpec) => {
    const all = hostsWithRole(spec, 'control-plane');
    const out = new Set((await store.projections.quarantine(cluster)).map(({ host }) => host));
    const { address } = all.find(({ name }) => !out.has(name)) ?? all[0]!;
    return `https://${address}:${API_SERVER_PORT}`;
  };
  return {
    async kubeconfig(cluster, spec) {
      const pki = await pkiOf(cluster);
      if (!pki) return null;
      const { value } = await pki.kubeconfig(adminClient(), await serverOf(cluster, spec));
      return value;
    },
    async personalKubeconfig(cluster, spec, { person, group, lifeMs }) {
      const pki = await pkiOf(cluster);
      if (!pki) return null;
      const server = await serverOf(cluster, spec);
      const issued = await pki.personalKubeconfig(personalClient(person, group), server, lifeMs);
      return { ...issued, text: issued.text.value };
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
