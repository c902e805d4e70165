import { internalAddress } from '../../../contracts/cluster.ts';
import type { Change } from '../../../contracts/operation.ts';
import { ipv4 } from '../../../contracts/primitives.ts';
import { undoByScript } from '../../resources/engine/undo.ts';
import { LEDGER } from '../../resources/paths.ts';
import type { PhaseRun, TeardownRun } from '../phase.ts';

/**
 * Versions up to 0.1 put the cluster's hosts and pods into firewalld's zone `trusted`, with a witness of what was in it
 * before. Takes them out again, where the ledger has that witness. Arguments: what was in it, as one word, then ours.
 */
const TAKE_BACK = `
seen=$1
shift
cut -f 1 ${LEDGER} 2>/dev/null | grep -qxF witness:firewalld-trusted || exit 0
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

/** What a version up to 0.1 added, taken out again. */
export const distrustCluster = (run: TeardownRun<unknown>): Promise<Change[]> =>
  undoByScript(run.remote, TAKE_BACK, [run.baselineOf('firewalld-trusted').trim(), ...sourcesOf(run)]);

function sourcesOf({ cluster }: PhaseRun<unknown>): string[] {
  const { hosts, network } = cluster.spec;
  const addresses = hosts.map(internalAddress).filter((address) => ipv4.safeParse(address).success);
  return [network.podCidr, ...addresses.sort()];
}
