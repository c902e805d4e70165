import { kubeHosts } from '../../contracts/cluster.ts';
import { controlPlaneEndpoint } from './capabilities/control-plane-endpoint.ts';
import type { PhaseContext } from './phase.ts';

/**
 * By which names the clients of a node reach the API servers, as far as that is known: while a running cluster is moved to another
 * endpoint, some nodes use the new one and some the old one, and the certificates of the API servers need the names of both.
 */

/** Notes of the cluster: `<prefix><node>` → names, JSON. */
const PREFIX = 'endpoint-names/';

type Context = Pick<PhaseContext<unknown>, 'cluster' | 'host' | 'clusterState' | 'offer'>;

/** Names that clients of nodes may still use, whatever the spec says now. Nodes that left the spec do not count. */
export async function endpointNamesInUse({ cluster, clusterState }: Context): Promise<string[]> {
  const notes = await clusterState.list(PREFIX);
  const names = kubeHosts(cluster).flatMap(({ name }) => {
    const note = notes.get(`${PREFIX}${name}`);
    return note === undefined ? [] : (JSON.parse(note) as string[]);
  });
  return [...new Set(names)].sort();
}

/** No node has a note: it is founded, or an earlier version built the cluster. */
export const hasNoEndpointNames = async ({ clusterState }: Context): Promise<boolean> =>
  (await clusterState.list(PREFIX)).size === 0;

/** All nodes may use these names, for the certificates of an earlier version have them. */
export async function noteEarlierNames({ cluster, clusterState }: Context, names: readonly string[]): Promise<void> {
  for (const { name } of kubeHosts(cluster)) await clusterState.set(`${PREFIX}${name}`, JSON.stringify(names));
}

/**
 * Clients of the task's host use the endpoint of the spec. `replaces`: all of them do and the node is Ready, so no other name is
 * needed there; otherwise only a host without a note gets one.
 */
export async function noteEndpointNames(
  { host, clusterState, offer }: Context,
  { replaces }: { replaces: boolean },
): Promise<void> {
  const key = `${PREFIX}${host.name}`;
  const note = await clusterState.get(key);
  const names = JSON.stringify(offer(controlPlaneEndpoint).certificateNames);
  if (note === null || (replaces && note !== names)) await clusterState.set(key, names);
}
