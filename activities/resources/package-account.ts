import { entryKey, type LedgerEntry } from './ledger.ts';
import { DROP_ACCOUNTS } from './package-account-script.ts';
import { PACKAGE_NAME, toolOf } from './package-tools.ts';
import { defineUndoing } from './resource.ts';

const ID = /^(?:user|group)\/[a-z_][a-z0-9_-]*$/;

/** The packages whose scripts make the account. */
const makersOf = ({ prior }: LedgerEntry): string[] => {
  const makers = prior?.['with'];
  return typeof makers === 'string' ? makers.split(' ').filter((name) => PACKAGE_NAME.test(name)) : [];
};

/**
 * System accounts and groups that packages of ours brought (`user/chrony`): packages leave them when they are removed. Once the packages
 * are gone, so are the accounts.
 */
export default defineUndoing({
  kind: 'package-account',
  undoWhen: 'last',
  dry: 'together',
  keptStays: true,
  undo(entries, { facts, quote }) {
    const tool = toolOf(facts);
    if (!tool) return [];
    // A group goes with its account; before it, it is in use.
    const users = entries.filter(({ id }) => id.startsWith('user/'));
    const groups = entries.filter((entry) => !users.includes(entry));
    return [...users, ...groups]
      .filter(({ id }) => ID.test(id))
      .map((entry) => ({
        key: entryKey(entry),
        // A dry run reports the packages, with which they go.
        script: `[ -z "$KW_DRY" ] || exit 0\n${tool.undo}\n${DROP_ACCOUNTS}\nkw_drop_account ${[entry.id, ...makersOf(entry)].map(quote).join(' ')}`,
      }));
  },
});
