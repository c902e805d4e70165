import { sha256 } from './digest.ts';
import type { LedgerEntry } from './ledger.ts';
import { LEDGER } from './paths.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface BaselineResource extends Resource {
  readonly kind: 'witness';
  readonly look: string;
}

interface BaselineState {
  recorded: boolean;
  said: string;
}

/**
 * How something was before the first change of a phase: what `look` (sh, read-only, at most one second) says, kept in the
 * host's ledger. For what daemons change by themselves; a phase's teardown reads it with `run.witnessed`.
 */
export function baseline(id: string, look: string): BaselineResource {
  return { kind: 'witness', id, look };
}

/** What a witness saw, by the entries of the host's ledger; empty when it saw nothing. */
export function witnessedIn(entries: readonly LedgerEntry[], id: string): string {
  const said = entries.find((entry) => entry.kind === 'witness' && entry.id === id)?.prior?.['said'];
  return typeof said === 'string' ? said : '';
}

const RECORDED = '--- noted';
const LOOKED = '--- looked';

export default defineKind<BaselineResource, BaselineState>({
  kind: 'witness',
  probe: (resource, quote) =>
    `if kw_stat -c %F -- ${LEDGER}; then kw=$(cut -f 1 ${LEDGER}) || kw_unknown 'the ledger cannot be read'; else kw=; fi
if printf '%s\\n' "$kw" | grep -qxF -- ${quote(resourceKey(resource))}; then echo ${quote(RECORDED)}; else echo ${quote(LOOKED)}
${resource.look}
fi`,
  parse(output) {
    if (output.trim() === RECORDED) return { recorded: true, said: '' };
    if (!output.startsWith(`${LOOKED}\n`)) throw new Unknown(`the ledger: ${output.slice(0, 200)}`);
    return { recorded: false, said: output.slice(LOOKED.length + 1) };
  },
  diff: (resource, { recorded }) =>
    recorded ? [] : [{ resource: resourceKey(resource), action: 'create', detail: 'noted how it was' }],
  // The note in the ledger is all there is to do.
  fragment: () => ({ script: '' }),
  ledgerEntries: (_resource, observed) => (observed === null ? [] : [{ prior: { said: observed.said } }]),
  outlives: () => true,
  digest: ({ id }) => sha256(id),
});
