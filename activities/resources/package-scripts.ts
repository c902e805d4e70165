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
  /** sh functions of a teardown: `kw_there`, `kw_purge` and `kw_install_again` (see apt.ts). */
  readonly undo: string;
}
