import type { Store } from '../store/index.ts';
import { MACHINE_NOTE } from './phases/preflight/machines.ts';

/**
 * Take out of the store what it keeps for hosts that are gone: the keys that they showed first, and with the last of them
 * (`hosts` null) the cluster's secrets. Returns how many, in a dry run how many there are. Safe to repeat.
 */
export async function forget(
  store: Pick<Store, 'secrets' | 'hostKeys' | 'notes'>,
  cluster: string,
  { hosts, dryRun }: { hosts: readonly string[] | null; dryRun: boolean },
): Promise<{ secrets: number; hostKeys: number }> {
  const scope = `cluster/${cluster}`;
  const secrets = hosts === null ? await store.secrets.list(scope) : [];
  const hostKeys = (await store.hostKeys.list(cluster)).filter(({ host }) => hosts === null || hosts.includes(host));
  if (!dryRun) {
    for (const { name } of secrets) await store.secrets.delete(scope, name);
    for (const { host } of hostKeys) await store.hostKeys.forget(cluster, host);
    for (const host of hosts ?? []) await store.notes.forget(cluster, `${MACHINE_NOTE}${host}`);
    if (hosts === null) await store.notes.forget(cluster);
  }
  return { secrets: secrets.length, hostKeys: hostKeys.length };
}
