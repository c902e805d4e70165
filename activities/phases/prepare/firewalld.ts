import { internalAddress } from '../../../contracts/cluster.ts';
import type { Change } from '../../../contracts/operation.ts';
import { ipv4 } from '../../../contracts/primitives.ts';
import type { Resource } from '../../resources/resource.ts';
import { undoByScript } from '../../resources/undo.ts';
import { witness } from '../../resources/witness.ts';
import type { PhaseRun, TeardownRun } from '../phase.ts';

/**
 * Adds sources to the zone `trusted` where they are missing, for good and at once. Arguments: sources. Prints those
 * added. Does nothing where firewalld does not run.
 */
const SCRIPT = `
command -v firewall-cmd >/dev/null 2>&1 || exit 0
# 252: it does not run. Anything else is no answer (D-Bus, a firewalld that is starting).
says=$(firewall-cmd --state 2>&1) || { [ $? = 252 ] && exit 0; printf 'firewalld does not answer: %s\\n' "$says" >&2; exit 1; }
for source in "$@"; do
  firewall-cmd --quiet --permanent --zone=trusted --query-source="$source" &&
    firewall-cmd --quiet --zone=trusted --query-source="$source" && continue
  firewall-cmd --quiet --permanent --zone=trusted --add-source="$source"
  firewall-cmd --quiet --zone=trusted --add-source="$source"
  printf '%s\\n' "$source"
done
`;

/** Takes sources out of the zone again. Arguments: those that were in it before us, as one word, then ours. */
const TAKE_BACK = `
seen=$1
shift
command -v firewall-cmd >/dev/null 2>&1 || exit 0
kw_says=$(firewall-cmd --state 2>&1) || { [ $? = 252 ] && exit 0; echo "firewalld does not answer: $kw_says" >&2; exit 1; }
for source in "$@"; do
  case " $seen " in *" $source "*) continue ;; esac
  firewall-cmd --quiet --permanent --zone=trusted --query-source="$source" || continue
  KW_KEY=firewalld:trusted/$source
  firewall-cmd --quiet --permanent --zone=trusted --remove-source="$source" || exit 1
  firewall-cmd --quiet --zone=trusted --remove-source="$source"
  kw_tell removed "no longer trusts $source"
done
`;

const WITNESS = 'firewalld-trusted';

/** Which sources firewalld trusted before us. 252: it does not run; any other failure is no answer. */
export const firewalldWitness = (): Resource =>
  witness(
    WITNESS,
    `if command -v firewall-cmd >/dev/null; then
  kw_says=$(firewall-cmd --permanent --zone=trusted --list-sources 2>&1) || { [ $? = 252 ] && kw_says=; } || kw_unknown "$kw_says"
  printf '%s\\n' "$kw_says"
fi`,
  );

/** What `trustClusterInFirewalld` added, taken out again. */
export const distrustCluster = (run: TeardownRun<unknown>): Promise<Change[]> =>
  undoByScript(run.remote, TAKE_BACK, [run.witnessed(WITNESS).trim(), ...sourcesOf(run)]);

function sourcesOf({ cluster }: PhaseRun<unknown>): string[] {
  const { hosts, network } = cluster.spec;
  const addresses = hosts.map(internalAddress).filter((address) => ipv4.safeParse(address).success);
  return [network.podCidr, ...addresses.sort()];
}

/** The RHEL family comes with firewalld, closed: the cluster's hosts and pods may talk to each other through it. */
export async function trustClusterInFirewalld(run: PhaseRun<unknown>): Promise<Change[]> {
  const { stdout } = await run.remote.script(SCRIPT, sourcesOf(run));
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((source) => ({ resource: `firewalld:trusted/${source}`, action: 'update', detail: `trusts ${source}` }));
}
