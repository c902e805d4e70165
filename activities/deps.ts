import { DEFAULT_TIMEOUTS, type Timeouts } from '../contracts/timeouts.ts';
import type { Store } from '../store/index.ts';
import { ArtifactResolver } from './artifacts/mirror-artifacts.ts';
import { openClientCertificate } from './host/client-certificate.ts';
import {
  type CredentialResolverDeps,
  createCredentialResolver,
  type HostLogger,
  openProxyLogin,
  openRegistryLogin,
} from './host/credentials.ts';
import { createSshPool } from './host/pool.ts';
import type { ActivityDeps } from './index.ts';
import { proxyUrls } from './kube/proxy.ts';
import type { ActivityMetrics } from './metrics.ts';
import { loadKinds } from './operations/kind-loader.ts';
import { loadPhases } from './phases/phase-loader.ts';
import { createPki } from './pki/pki.ts';
import { purgeSecrets } from './purge-secrets.ts';

/**
 * The real world for the activities: SSH, the store, the mirror. `loginPaths`: KUBEWRIGHT_LOGIN_PATHS. `close` ends the SSH connections,
 * not the store.
 */
export async function createActivityDeps(
  store: Store,
  logger?: HostLogger,
  timeouts: Timeouts = DEFAULT_TIMEOUTS,
  loginPaths: readonly string[] = [],
  /** Given the number of open SSH connections, the metrics that tasks write; default: none. */
  metricsOn?: (connections: () => number) => ActivityMetrics,
): Promise<ActivityDeps & { close(): Promise<void> }> {
  let metrics: ActivityMetrics | undefined;
  const logins: CredentialResolverDeps = {
    named: (name) => store.credentials.get(name),
    approved: (cluster, use) => store.approvals.has(cluster, use),
    paths: loginPaths,
    logger,
  };
  const pool = createSshPool({
    credentials: createCredentialResolver(logins),
    hostKeys: store.hostKeys,
    logger,
    limits: { idleMs: timeouts.sshIdleMs },
    onLogin: (result) => metrics?.login(result),
  });
  metrics = metricsOn?.(() => pool.connections());
  const artifacts = new ArtifactResolver();
  const loaded = await loadPhases();
  const phases = new Map(loaded.map((phase) => [phase.name, phase]));
  return {
    kinds: await loadKinds(loaded),
    phases,
    metrics,
    hosts: pool,
    journal: store.journal,
    spec: (ref) => store.specs.get(ref),
    specRow: async (ref) => (await store.specs.about(ref))?.row ?? null,
    pki: (cluster, mode, onSecret) => createPki({ secrets: store.secrets, cluster, mode, onSecret }),
    artifacts: (cluster, proxy) => artifacts.sourceFor(cluster, proxy?.https),
    proxy: (cluster, onSecret) =>
      proxyUrls(cluster, (use) => openProxyLogin(logins, cluster.metadata.name, use), onSecret),
    clientCertificate: (cluster, use) => openClientCertificate(logins, cluster, use),
    registryLogin: (cluster, use) => openRegistryLogin(logins, cluster, use),
    clusterState: store.clusterState,
    purgeSecrets: (cluster, what) => purgeSecrets(store, cluster, what),
    deleteHostKey: (cluster, host) => store.hostKeys.remove(cluster, host),
    takeCommand: (input) => store.commands.take(input),
    projections: store.projections,
    plans: store.plans,
    taskChanges: store.taskChanges,
    timeouts,
    close: () => pool.close(),
  };
}
