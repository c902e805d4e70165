import type { Store } from '../store/index.ts';
import { FORMER_MARKS, markId, withFormer } from './host/cluster-mark.ts';
import { MACHINE_NOTE } from './phases/preflight/public.ts';

/**
 * Take out of the store what it keeps for hosts that are gone: the keys that they showed first, and with the last of them
 * (`hosts` null) the cluster's secrets. Returns how many, in a dry run how many there are. Safe to repeat.
 */
export async function forget(
  store: Pick<Store, 'secrets' | 'hostKeys' | 'notes' | 'approvals'>,
  cluster: string,
  { hosts, dryRun }: { hosts: readonly string[] | null; dryRun: boolean },
): Promise<{ secrets: number; hostKeys: number }> {
  const scope = `cluster/${cluster}`;
  const secrets = hosts === null ? await store.secrets.list(scope) : [];
  const hostKeys = (await store.hostKeys.list(cluster)).filter(({ host }) => hosts === null || hosts.includes(host));

  if (!dryRun) {
    // Before the CA goes: hosts that the teardown did not reach still carry its mark.
    if (hosts === null) await forgetNotes(store, cluster, scope);
    for (const { name } of secrets) await store.secrets.delete(scope, name);
    for (const { host } of hostKeys) await store.hostKeys.forget(cluster, host);
    for (const host of hosts ?? []) await store.notes.forget(cluster, `${MACHINE_NOTE}${host}`);
    if (hosts === null) await store.approvals.forget(cluster);
  }
  return { secrets: secrets.length, hostKeys: hostKeys.length };
}

/** All notes but the ids of the cluster's marks, this life's among them. */
async function forgetNotes(
  { notes, secrets }: Pick<Store, 'secrets' | 'notes'>,
  cluster: string,
  scope: string,
): Promise<void> {
  const known = await notes.get(cluster, FORMER_MARKS);
  const ca = await secrets.get(scope, 'pki/ca/kubernetes');
  const former = ca === null ? known : withFormer(known, markId((JSON.parse(ca) as { cert: string }).cert));
  await notes.forget(cluster);
  if (former !== null) await notes.set(cluster, FORMER_MARKS, former);
}
