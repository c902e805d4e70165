import { createHash } from 'node:crypto';
import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import { enabledProviders } from '../phases/capabilities.ts';
import type { ClusterState } from '../phases/cluster-state.ts';
import type { Phase } from '../phases/phase.ts';
import { placementOf } from '../phases/placement.ts';
import { resolveNeeds } from '../phases/provides.ts';

/** Names of entries in the cluster's state: the last attempt that changed something, and what a check held for. */
const changedEntry = (phase: string, host = ''): string => `changed/${phase}/${host}`;
const heldEntry = ({ name, hosts }: Phase, host: Host): string =>
  hosts === 'one-control-plane' ? `held/${name}` : `held/${name}/${host.name}`;

interface Task {
  cluster: ClusterSpec;
  phases: ReadonlyMap<string, Phase>;
  phase: Phase;
  host: Host;
  clusterState: ClusterState;
}

const needsOfCheck = ({ cluster, phases }: Pick<Task, 'cluster' | 'phases'>, check: Phase) =>
  resolveNeeds(check, enabledProviders(cluster, [...phases.values()]));

/**
 * A phase changed something on its host, or is verified anew: the checks that need it ask again. Called before its verify, so
 * that a crash between the two loses nothing. `attempt`: another text for each attempt.
 */
export async function recordChanged({ phase, host, clusterState, ...task }: Task, attempt: string): Promise<void> {
  const isNeeded = [...task.phases.values()].some(
    (check) => check.check && needsOfCheck(task, check).some((need) => need.phase === phase.name),
  );
  if (isNeeded) await clusterState.set(changedEntry(phase.name, host.name), attempt);
}

/** What a check would be asked about, as remembered. */
export interface CheckState {
  /** It held, and nothing that it depends on changed since. */
  holds: boolean;
  /** It held at some time. */
  heldBefore: boolean;
  /** It holds now. Only for an answer that was asked for after this state was read. */
  record(): Promise<void>;
}

/**
 * Whether a check has to be asked: its options, its hosts, those in quarantine, or something that a phase which it needs
 * changed since it held, on its own host for needs on the same host, else on any. One read of our store, nothing on a host.
 */
export async function checkStateOf(
  { phase, host, clusterState, ...task }: Task,
  more: { options: unknown; quarantined: readonly string[] },
): Promise<CheckState> {
  const changed = await Promise.all(
    needsOfCheck(task, phase).map(async (need): Promise<[string, string | null][]> => {
      const one = changedEntry(need.phase, host.name);
      return need.on === 'same-host'
        ? [[one, await clusterState.get(one)]]
        : [...(await clusterState.list(changedEntry(need.phase)))];
    }),
  );
  const hosts = placementOf(task.cluster, phase.hosts === 'one-control-plane' ? 'nodes' : phase.hosts);
  const about = phase.hosts === 'one-control-plane' ? hosts.map(({ name }) => name) : [host.name];
  const digest = createHash('sha256')
    .update(
      JSON.stringify([
        about,
        more.options,
        [...more.quarantined].sort(),
        changed.flatMap((each) => each.map((pair) => pair.join(' '))).sort(),
        // What it offers is what it asks about, and may come from other fields of the spec than its options.
        ...(phase.offers ?? []).map((offer) => offer.from({ cluster: task.cluster, host, options: more.options })),
      ]),
    )
    .digest('hex');
  const entry = heldEntry(phase, host);
  const held = await clusterState.get(entry);
  return { holds: held === digest, heldBefore: held !== null, record: () => clusterState.set(entry, digest) };
}
