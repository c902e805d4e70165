import type { Turn } from '../../../contracts/operation.ts';
import { majority } from '../../../contracts/quorum.ts';
import { quote, quoteArgv } from '../../host/quote.ts';
import type { RemoteHost } from '../../host/types.ts';
import { type EtcdMemberState, parseEtcdState } from '../../kube/etcd-state.ts';
import { type EtcdSite, etcdCurl } from './observe.ts';

/** All members as this host sees them, its own first. One round trip, without a change. */
export async function askMembers(remote: RemoteHost, site: EtcdSite): Promise<EtcdMemberState[]> {
  const members = [site.self, ...site.others];
  const lines = members.map(({ name, clientUrl }) => `{ ask ${quote(name)} ${quote(clientUrl)}; } &`);
  const { stdout } = await remote.script(
    `set +eu
said() { ${quoteArgv(etcdCurl(site.tls))} "$@" 2>&1 | tr '\\n\\t\\r' '   ' | tail -c 4000; }
ask() { health=$(said "$2/health") status=$(said -d '{}' "$2/v3/maintenance/status"); printf '%s\\t\\t%s\\t%s\\n' "$1" "$health" "$status"; }
${lines.join('\n')}
wait
`,
    [],
    { timeoutMs: 20_000 },
  );
  const rows = stdout.split('\n').map((line) => parseEtcdState(line.split('\t')));
  return members.map(({ name }) => rows.find(({ host }) => host === name) ?? parseEtcdState([name]));
}

/**
 * When a member is changed among the others: one that does not serve first, the leader last. Last as well one whose stop would
 * leave no majority, unless hosts that are out (`excluded`) account for that. `members`: its own first. Pure.
 */
export function turnOf([own, ...others]: readonly EtcdMemberState[], excluded: readonly string[]): Turn | null {
  if (!own?.healthy) return 'first';
  if (own.leads) return 'last';
  const well = others.filter(({ healthy }) => healthy).length;
  const missing = others.some(({ healthy, host }) => !healthy && !excluded.includes(host));
  return missing && well < majority(others.length + 1) ? 'last' : null;
}
