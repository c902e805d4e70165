import { quote } from '../host/quote.ts';
import { sha256 } from './digest.ts';
import { undoFunctions } from './ledger.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface ResidueResource extends Resource {
  readonly kind: 'residue';
  readonly find: string;
  readonly remove: string;
}

/**
 * What an earlier choice of options left on the host beside files and units (rules of the packet filter, links) is not there.
 * `find` (sh of a probe, read-only) prints a line for each piece of it, in words; `remove` (sh of a teardown, see
 * `undoFunctions`) takes all of it away, and may be run again.
 */
export function residue(id: string, scripts: { find: string; remove: string }): ResidueResource {
  return { kind: 'residue', id, ...scripts };
}

const ASKED = '--- asked';
/** Pieces that a change names; the rest is counted. */
const NAMED = 40;

export default defineKind<ResidueResource, readonly string[]>({
  kind: 'residue',
  probe: ({ find }) => `${find}\necho ${quote(ASKED)}`,
  parse(output) {
    const lines = output.split('\n').filter((line) => line.trim() !== '');
    if (lines.at(-1) !== ASKED) throw new Unknown(`what is left of earlier options: ${output.slice(-200)}`);
    return lines.slice(0, -1);
  },
  diff: (resource, pieces) => {
    const more = pieces.length > NAMED ? [`and ${pieces.length - NAMED} more`] : [];
    const detail = [...pieces.slice(0, NAMED), ...more].join(', ');
    return pieces.length === 0 ? [] : [{ resource: resourceKey(resource), action: 'remove', detail }];
  },
  fragment: ({ id, remove }) => ({
    // In a shell of its own: its functions have other rules, and their reports are in the change already.
    script: `( ${undoFunctions('residue')}\nKW_KEY=${quote(id)}\n${remove}\n) >/dev/null`,
    timeoutMs: 60_000,
  }),
  // Its scripts are ways to say the same thing.
  digest: ({ id }) => sha256(id),
});
