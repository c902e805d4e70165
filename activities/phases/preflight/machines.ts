import { z } from 'zod';
import { type ClusterSpec, internalAddress } from '../../../contracts/cluster.ts';
import type { Host } from '../../../contracts/host.ts';
import type { ClusterState } from '../cluster-state.ts';

export const MACHINE_KEY = 'preflight/machine/';

/** As systemd and D-Bus write it. */
export const isMachineId = (text: string): boolean => /^[0-9a-f]{32}$/.test(text);

const machine = z.object({ machineId: z.string(), address: z.string(), operation: z.string() });

/** Another host of the cluster that is, or was when it was last looked at, the same machine. */
export interface DuplicateMachine {
  host: Host;
  /** Reported by this operation; otherwise by an earlier one, and it may have been put right since. */
  fresh: boolean;
}

/**
 * Notes which machine a host is, then looks for another host that is the same one. Written before it is read, so of two
 * tasks that do so at once at least one sees the other. What was noted of a host at another address is out of date.
 */
export async function recordMachine(
  clusterState: ClusterState,
  { cluster, host, operation }: { cluster: ClusterSpec; host: Host; operation: string },
  machineId: string,
): Promise<DuplicateMachine | null> {
  await clusterState.set(
    `${MACHINE_KEY}${host.name}`,
    JSON.stringify({ machineId, address: internalAddress(host), operation }),
  );
  const known = await clusterState.list(MACHINE_KEY);
  for (const other of cluster.spec.hosts) {
    const record = known.get(`${MACHINE_KEY}${other.name}`);
    if (other.name === host.name || record === undefined) continue;
    const seen = machine.parse(JSON.parse(record));
    if (seen.machineId !== machineId || seen.address !== internalAddress(other)) continue;
    return { host: other, fresh: seen.operation === operation };
  }
  return null;
}
