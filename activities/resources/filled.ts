import { digestOfParts } from './digest.ts';
import { absolute } from './path-check.ts';
import { LEDGER } from './paths.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface FilledResource extends Resource {
  readonly kind: 'filled';
  readonly paths: readonly string[];
}

/**
 * Files and folders that pods of ours fill on their node, as `fills` of a service: nothing is placed. A teardown removes what is
 * in them then, but for what was there before.
 */
export function filled(id: string, paths: readonly string[]): FilledResource {
  return { kind: 'filled', id, paths: paths.map(absolute) };
}

export default defineKind<FilledResource, boolean>({
  kind: 'filled',
  probe: ({ paths }, quote) =>
    `kw_lacks=
for kw_f in ${paths.map((path) => quote(`leftover:${path}`)).join(' ')}; do
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
