import { digestOfParts } from './digest.ts';
import type { LedgerEntry } from './ledger.ts';
import { absolute } from './path-check.ts';
import { LEDGER } from './paths.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface FilledResource extends Resource {
  readonly kind: 'filled';
  readonly paths: readonly string[];
}

/**
 * Files and folders that pods and daemons of a phase fill on a host, as `fills` of a service: nothing is placed. A teardown removes
 * what is in them then, but for what was there before, and runs what the phase takes away by itself.
 */
export function filled(phase: string, paths: readonly string[]): FilledResource {
  return { kind: 'filled', id: phase, paths: paths.map(absolute) };
}

/** The phase whose pods and daemons fill what an entry is about; null: the entry is of another kind. Pure. */
export const phaseOfFilled = ({ kind, id }: LedgerEntry): string | null => (kind === 'filled' ? id : null);

export default defineKind<FilledResource, boolean>({
  kind: 'filled',
  probe: ({ id, paths }, quote) =>
    `kw_lacks=
for kw_f in ${[`filled:${id}`, ...paths.map((path) => `leftover:${path}`)].map(quote).join(' ')}; do
  cut -f 1 ${LEDGER} 2>/dev/null | grep -qxF -- "$kw_f" || kw_lacks=yes
done
echo "lacks:$kw_lacks"`,
  parse(output) {
    const [, lacks] = /^lacks:(yes)?$/m.exec(output) ?? [];
    if (!output.includes('lacks:')) throw new Unknown(`the ledger: ${output.slice(0, 200)}`);
    return lacks === undefined;
  },
  diff: (resource, isNoted) =>
    isNoted
      ? []
      : [{ resource: resourceKey(resource), action: 'create', detail: 'what is there before it is filled is noted' }],
  fragment: () => ({ script: ':' }),
  ledgerEntries: ({ paths }) => [{ prior: {}, fills: paths }],
  owns: ({ id, paths }, entry) =>
    entry.kind === 'leftover'
      ? paths.some((path) => entry.id === path || entry.id.startsWith(`${path}/`))
      : entry.kind === 'filled' && entry.id === id,
  // The folders have entries of their own.
  undo: () => [],
  digest: ({ paths }) => digestOfParts(paths),
});
