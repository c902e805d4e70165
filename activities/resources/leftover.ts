import { entryKey, type LedgerEntry } from './ledger.ts';
import { defineUndoing } from './resource.ts';

/**
 * What daemons of ours wrote (`fills` of a service): goes with everything that is mounted below it, links followed. What was
 * there before stays: a folder, a link with the folder that it leads to, a disk of its own. See `leftover-script.ts`.
 */
export default defineUndoing({
  kind: 'leftover',
  dry: true,
  undo: (entries, { quote }) =>
    entries.map((entry) => {
      // Of others: a file or a socket was there before us.
      if (isOfOthers(entry)) return { key: entryKey(entry), script: ':' };
      const { folder, at, held: heldNames } = before(entry);
      const words = [entry.id, folder ? 'yes' : '', at, String(heldNames)];
      return { key: entryKey(entry), script: `kw_leftover ${words.map(quote).join(' ')}` };
    }),
});

/** Was a file or a socket at the path before us? Then it stays. Pure. */
export const isOfOthers = ({ kind, prior }: Pick<LedgerEntry, 'kind' | 'prior'>): boolean =>
  kind === 'leftover' && prior?.['file'] === true;

/** What the ledger says of the time before us; nothing, of a build by a version without one. */
function before({ prior }: LedgerEntry): { folder: boolean; at: string; held: number } {
  const { folder, at, held: heldNames } = prior ?? {};
  return {
    folder: folder === true,
    at: typeof at === 'string' && at.startsWith('/') ? at : '',
    held: typeof heldNames === 'number' && Number.isSafeInteger(heldNames) ? heldNames : 0,
  };
}
