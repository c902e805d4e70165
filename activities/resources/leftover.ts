import { entryKey } from './ledger.ts';
import type { Undoing } from './resource.ts';

/**
 * What daemons of ours wrote where nothing was before (`fills` of a service): goes with everything in it and mounted
 * below it. A folder that was there, empty, stays.
 */
export const leftover: Undoing = {
  kind: 'leftover',
  undo: (entries, { quote }) =>
    entries.map((entry) => {
      const path = quote(entry.id);
      const there = `[ -e ${path} ] || [ -L ${path} ] || exit 0`;
      const script =
        entry.prior?.['folder'] === true
          ? `${there}
kw_unmount_below ${path} || exit 1
[ -n "$(ls -A -- ${path})" ] || exit 0
find ${path} -xdev -mindepth 1 -delete && kw_tell removed 'what was in it'`
          : `${there}
kw_unmount_below ${path} || exit 1
while grep -qF -- ${quote(` ${entry.id} `)} /proc/self/mountinfo; do umount -l -- ${path} || exit 1; done
rm -rf --one-file-system -- ${path} && kw_tell removed ${path}`;
      return { key: entryKey(entry), script };
    }),
};
