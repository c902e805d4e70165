import { adminClient, personalClient } from '../activities/kube/identities.ts';
import { requiredImageRef } from '../activities/kube/images.ts';
import { API_SERVER_PORT } from '../activities/kube/paths.ts';
import { controlPlaneEndpoint } from '../activities/phases/capabilities/control-plane-endpoint.ts';
import { offerOf } from '../activities/phases/offers.ts';
import type { Phase } from '../activities/phases/phase.ts';
import { BUSYBOX } from '../activities/phases/verify/public.ts';
import { createPki } from '../activities/pki/pki.ts';
import { type ClusterSpec, hostsWithRole } from '../contracts/cluster.ts';
import type { Store } from '../store/index.ts';
import type { ApiDeps } from './deps.ts';

/** What people need to reach a built cluster: its kubeconfig, and an image that its hosts can pull. */
export function clusterAccess(
  store: Pick<Store, 'secrets' | 'projections'>,
  phases: readonly Phase[],
): Pick<ApiDeps, 'kubeconfig' | 'personalKubeconfig' | 'smokeImage'> {
  /** Mode `check` makes no authority: without one the cluster was never built. */
  const pkiOf = async (cluster: string) =>
    (await store.secrets.get(`cluster/${cluster}`, 'pki/ca/kubernetes')) === null
      ? null
      : createPki({ secrets: store.secrets, cluster, mode: 'check' });
  /** The endpoint, where it is for clients beyond the hosts too; else the first control plane that is not in quarantine. */
  const serverOf = async (cluster: string, spec: ClusterSpec) => {
    const { host, port, forClients } = offerOf({ cluster: spec, phases }, controlPlaneEndpoint);
    if (forClients) return `https://${host}:${port}`;
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
    smokeImage: (spec) => requiredImageRef(spec, BUSYBOX),
  };
}
