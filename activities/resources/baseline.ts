import { sha256 } from './digest.ts';
import type { LedgerEntry } from './ledger.ts';
import { LEDGER } from './paths.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface BaselineResource extends Resource {
  readonly kind: 'witness';
  /** Read-only sh, at most one second. */
  readonly look: string;
}

interface BaselineState {
  recorded: boolean;
  output: string;
}

/**
 * The state of something before the first change of a phase: the output of `look`, recorded in the ledger of the host.
 * For settings that daemons change themselves; the teardown of a phase reads it.
 */
export function baseline(id: string, look: string): BaselineResource {
  // The name of the kind is in ledgers on hosts.
  return { kind: 'witness', id, look };
}

/** The recorded output of a baseline, from the entries of the ledger; empty when there is none. */
export function baselineIn(entries: readonly LedgerEntry[], id: string): string {
  const output = entries.find((entry) => entry.kind === 'witness' && entry.id === id)?.prior?.['said'];
  return typeof output === 'string' ? output : '';
}

const RECORDED = '--- recorded';
const PROBED = '--- probed';

export default defineKind<BaselineResource, BaselineState>({
  kind: 'witness',
  probe: (resource, quote) =>
    `if kw_stat -c %F -- ${LEDGER}; then kw=$(cut -f 1 ${LEDGER}) || kw_unknown 'the ledger cannot be read'; else kw=; fi
if printf '%s\\n' "$kw" | grep -qxF -- ${quote(resourceKey(resource))}; then echo ${quote(RECORDED)}; else echo ${quote(PROBED)}
${resource.look}
fi`,
  parse(output) {
    if (output.trim() === RECORDED) return { recorded: true, output: '' };
    if (!output.startsWith(`${PROBED}\n`)) throw new Unknown(`the ledger: ${output.slice(0, 200)}`);
    return { recorded: false, output: output.slice(PROBED.length + 1) };
  },
  diff: (resource, { recorded }) =>
    recorded ? [] : [{ resource: resourceKey(resource), action: 'create', detail: 'recorded the earlier state' }],
  // Only the ledger gets an entry.
  fragment: () => ({ script: '' }),
  ledgerEntries: (_resource, observed) => (observed === null ? [] : [{ prior: { said: observed.output } }]),
  outlives: () => true,
  digest: ({ id }) => sha256(id),
});
