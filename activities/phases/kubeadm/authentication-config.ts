import { stringify } from 'yaml';

/** What a static pod's probes ask, without a certificate. */
const HEALTH = ['/livez', '/readyz', '/healthz'];
/** What a joining host reads before it has a certificate; it is signed with the host's token. */
const CLUSTER_INFO = '/api/v1/namespaces/kube-public/configmaps/cluster-info';

/** The first minor version of Kubernetes 1 whose kube-apiserver has version 1 of the API. */
const GA_MINOR = 34;

/**
 * AuthenticationConfiguration of kube-apiserver: who has no certificate and no token is answered at these paths only. kubeadm needs
 * them; without the file everything that RBAC gives to `system:unauthenticated` would be open.
 */
export function authenticationConfig(kubernetesVersion: string): string {
  const minor = Number(kubernetesVersion.split('.')[1]);
  return stringify({
    apiVersion: `apiserver.config.k8s.io/${minor >= GA_MINOR ? 'v1' : 'v1beta1'}`,
    kind: 'AuthenticationConfiguration',
    anonymous: { enabled: true, conditions: [...HEALTH, CLUSTER_INFO].map((path) => ({ path })) },
  });
}
