import type { Store } from '../store/index.ts';
import { FORMER_MARKS, markerId, withFormer } from './host/ownership-marker.ts';
import { MACHINE_KEY } from './phases/preflight/public.ts';

/**
 * Take out of the store what it keeps for hosts that are gone: the keys that they showed first, and with the last of them
 * (`hosts` null) the cluster's secrets. Returns how many, in a dry run how many there are. Safe to repeat.
 */
export async function purgeSecrets(
  store: Pick<Store, 'secrets' | 'hostKeys' | 'clusterState' | 'approvals'>,
  cluster: string,
  { hosts, dryRun }: { hosts: readonly string[] | null; dryRun: boolean },
): Promise<{ secrets: number; hostKeys: number }> {
  const scope = `cluster/${cluster}`;
  const secrets = hosts === null ? await store.secrets.list(scope) : [];
  const hostKeys = (await store.hostKeys.list(cluster)).filter(({ host }) => hosts === null || hosts.includes(host));

  if (!dryRun) {
    // Before the CA goes: hosts that the teardown did not reach still carry its mark.
    if (hosts === null) await purgeClusterState(store, cluster, scope);
    for (const { name } of secrets) await store.secrets.delete(scope, name);
    for (const { host } of hostKeys) await store.hostKeys.remove(cluster, host);
    for (const host of hosts ?? []) await store.clusterState.remove(cluster, `${MACHINE_KEY}${host}`);
    if (hosts === null) await store.approvals.remove(cluster);
  }
  return { secrets: secrets.length, hostKeys: hostKeys.length };
}

/** All notes but the ids of the cluster's marks, this life's among them. */
async function purgeClusterState(
  { clusterState, secrets }: Pick<Store, 'secrets' | 'clusterState'>,
  cluster: string,
  scope: string,
): Promise<void> {
  const known = await clusterState.get(cluster, FORMER_MARKS);
  const ca = await secrets.get(scope, 'pki/ca/kubernetes');
  const former = ca === null ? known : withFormer(known, markerId((JSON.parse(ca) as { cert: string }).cert));
  await clusterState.remove(cluster);
  if (former !== null) await clusterState.set(cluster, FORMER_MARKS, former);
}
