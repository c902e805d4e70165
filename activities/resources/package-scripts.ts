/** How a package manager is used on a host: what resources of the kind `packages` run. */
export interface PackageScripts {
  /** Programs that have to be there before its database is asked. */
  readonly needs: readonly string[];
  /** sh that prints `<name> <version>` of each installed package of the quoted words. */
  readonly query: (words: string) => string;
  /** sh script: `<phase> <package>...`. Exit codes: 75 = another process holds the lock, 1 = failed. */
  readonly install: string;
  /** The packages that `install` must know after an interruption: those that are missing, or all. */
  readonly resumes: 'missing' | 'wanted';
  /** sh functions of a teardown: `kw_there`, `kw_absent`, `kw_purge` and `kw_install_again` (see apt.ts). */
  readonly undo: string;
}

/**
 * sh functions for a teardown. `kw_units`: from paths on standard input to the names of the units among them. `kw_forget_units
 * <unit>...`: systemd no longer lists those that failed while their package was removed: their files are gone.
 */
export const FORGET_UNITS = `kw_units() { sed -n 's#^.*/systemd/system/\\([^/]*[.]\\(service\\|socket\\|timer\\)\\)$#\\1#p' | sort -u; }
kw_forget_units() {
  for kw_u; do
    [ "$(systemctl show -p LoadState -- "$kw_u" 2>/dev/null)" != LoadState=not-found ] || systemctl reset-failed -- "$kw_u" >/dev/null 2>&1 || :
  done
}`;
