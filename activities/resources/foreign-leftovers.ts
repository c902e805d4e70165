import type { Change } from '../../contracts/operation.ts';
import { DROP_CHAINS } from '../kube/packet-filter.ts';
import { isCleaned, meaningOf, type Row } from '../leftovers/found.ts';
import { CHAINS, LEFTOVERS, OURS } from '../leftovers/scripts.ts';
import { sha256 } from './digest.ts';
import type { Trace } from './ledger.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';

export interface ForeignLeftoversResource extends Resource {
  readonly kind: 'foreign-leftovers';
  readonly units: readonly string[];
}

/**
 * Nothing of other clusters that is safe to remove is on the host: network configurations, drop-ins over the given units,
 * links, chains and tables of pod networks (see leftovers/scripts.ts). Files are copied into the ledger, so a teardown
 * brings them back; links, chains and tables are in the changes of the operation only. What comes beside a kubelet of ours
 * is no leftover.
 */
export function foreignLeftovers(units: readonly string[]): ForeignLeftoversResource {
  return { kind: 'foreign-leftovers', id: 'host', units };
}

interface LeftoversState {
  readonly found: readonly Row[];
  /** False: the host did not answer to the end. */
  readonly complete: boolean;
}

/** Where systemd looks before the folder of packages: an empty link there hides the package's file. */
const hiding = (unit: string, path: string): string | null =>
  /^\/(etc|run)\//.test(path) ? null : `/etc/systemd/system/${unit}.d/${path.slice(path.lastIndexOf('/') + 1)}`;

export default defineKind<ForeignLeftoversResource, LeftoversState>({
  kind: 'foreign-leftovers',
  probe: ({ units }, quote) =>
    `say() { (IFS=$(printf '\\t'); printf '%s\\n' "$*"); }\n${OURS}\nkw_leftovers() {\n${LEFTOVERS}\n}\nkw_leftovers ${units.map(quote).join(' ')}\necho end`,
  parse(output) {
    const rows = output.split('\n').map((line) => line.split('\t'));
    return {
      found: rows.filter((row) => meaningOf(row) && isCleaned(row)),
      complete: rows.some(([word]) => word === 'end'),
    };
  },
  diff(resource, { found, complete }) {
    const change = (detail: string): Change => ({ resource: resourceKey(resource), action: 'remove', detail });
    return complete ? found.map((row) => change(meaningOf(row)!.message)) : [change('cannot be looked for')];
  },
  fragment(_resource, { found }, { quote }) {
    const of = (kind: string) => found.filter(([word]) => word === kind).map((row) => row.slice(1) as string[]);
    const lines = [
      ...of('cni').map(([path = '']) => `rm -f -- ${quote(path)}`),
      ...of('dropin').map(([unit = '', path = '']) => {
        const link = hiding(unit, path);
        return link === null
          ? `rm -f -- ${quote(path)}`
          : `mkdir -p -- ${quote(link.slice(0, link.lastIndexOf('/')))}\nln -sfn -- /dev/null ${quote(link)}`;
      }),
      ...(of('dropin').length > 0 ? ['systemctl daemon-reload'] : []),
      // A link may be gone with its other end; the kernel's own tunl0 stays.
      ...of('link').map(([name = '']) =>
        name === 'tunl0'
          ? 'ip address flush dev tunl0'
          : `[ ! -e ${quote(`/sys/class/net/${name}`)} ] || ip link delete ${quote(name)}`,
      ),
      ...of('table').map(([family = '', name = '']) => `nft delete table ${quote(family)} ${quote(name)}`),
      ...(of('chains').length > 0
        ? [`( set +e\nkw_tell() { :; }\n${DROP_CHAINS}\nkw_drop_chains ${quote(`^${CHAINS}`)} )`]
        : []),
    ];
    return { script: lines.join('\n'), timeoutMs: 60_000 };
  },
  ledgerEntries(_resource, observed) {
    const file = (id: string): Trace => ({ kind: 'file', id, prior: { foreign: true }, replaces: [id] });
    return (observed?.found ?? []).flatMap(([kind = '', first = '', second = '']) => {
      if (kind === 'cni') return [file(first)];
      return kind === 'dropin' ? [file(hiding(first, second) ?? second)] : [];
    });
  },
  digest: ({ units }) => sha256(units.join(' ')),
});
