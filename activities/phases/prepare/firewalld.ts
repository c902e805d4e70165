import { internalAddress } from '../../../contracts/cluster.ts';
import type { Change } from '../../../contracts/operation.ts';
import { ipv4 } from '../../../contracts/primitives.ts';
import type { PhaseRun } from '../phase.ts';

/**
 * Adds sources to the zone `trusted` where they are missing, for good and at once. Arguments: sources. Prints those
 * added. Does nothing where firewalld does not run.
 */
const SCRIPT = `
command -v firewall-cmd >/dev/null 2>&1 || exit 0
firewall-cmd --state >/dev/null 2>&1 || exit 0
for source in "$@"; do
  firewall-cmd --quiet --permanent --zone=trusted --query-source="$source" &&
    firewall-cmd --quiet --zone=trusted --query-source="$source" && continue
  firewall-cmd --quiet --permanent --zone=trusted --add-source="$source"
  firewall-cmd --quiet --zone=trusted --add-source="$source"
  printf '%s\\n' "$source"
done
`;

/** The RHEL family comes with firewalld, closed: the cluster's hosts and pods may talk to each other through it. */
export async function trustClusterInFirewalld(run: PhaseRun<unknown>): Promise<Change[]> {
  const { hosts, network } = run.cluster.spec;
  const addresses = hosts.map(internalAddress).filter((address) => ipv4.safeParse(address).success);
  const { stdout } = await run.remote.script(SCRIPT, [network.podCidr, ...addresses.sort()]);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((source) => ({ resource: `firewalld:trusted/${source}`, action: 'update', detail: `trusts ${source}` }));
}
