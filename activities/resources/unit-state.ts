import { entryKey } from './ledger.ts';
import { defineUndoing } from './resource.ts';

/** A unit that was there before us: enabled and running as it was, once everything else is as it was. */
export default defineUndoing({
  kind: 'unit-state',
  undoWhen: 'last',
  undo: (entries, { quote }) =>
    entries.map((entry) => {
      const { active, enabled } = (entry.prior ?? {}) as { active?: string; enabled?: string };
      const unit = quote(entry.id);
      const wasEnabled = enabled?.startsWith('enabled') === true;
      return {
        key: entryKey(entry),
        script: [
          // It may have gone with its package.
          `kw_s=$(systemctl show -p LoadState --value -- ${unit} 2>&1) || { echo "$kw_s" >&2; exit 1; }`,
          `[ "$kw_s" != not-found ] || exit 0`,
          `if systemctl is-enabled --quiet -- ${unit}; then kw_now=enabled; else kw_now=disabled; fi`,
          ...(wasEnabled
            ? [
                `[ "$kw_now" = enabled ] || { systemctl enable --quiet -- ${unit} && kw_tell restored enabled || exit 1; }`,
              ]
            : []),
          ...(enabled === 'disabled'
            ? [
                `[ "$kw_now" = disabled ] || { systemctl disable --quiet -- ${unit} && kw_tell restored disabled || exit 1; }`,
              ]
            : []),
          active === 'active'
            ? `systemctl restart -- ${unit} && kw_tell restored running || exit 1`
            : `systemctl stop -- ${unit}`,
        ].join('\n'),
      };
    }),
});
