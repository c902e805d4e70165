/** What stat and sha256sum say of one path. */
export interface FileState {
  type: 'file' | 'directory' | 'symlink' | 'other' | 'absent';
  /** Permission bits. */
  mode: number;
  owner: string;
  group: string;
  /** Of a plain file; empty otherwise. */
  sha256: string;
}

export const ABSENT: FileState = { type: 'absent', mode: 0, owner: '', group: '', sha256: '' };

/** sh that prints one line for `parseFileState`. Symbolic links are not followed. */
export function fileStateProbe(path: string, quote: (word: string) => string): string {
  const word = quote(path);
  return `if kw=$(stat -c '%F|%a|%U|%G' -- ${word}); then printf '%s|' "$kw"; case $kw in regular*) sha256sum <${word};; *) echo;; esac; else echo absent; fi`;
}

/** The line between what stat and what sha256sum say. */
const SUMS = '--- sums';

/** The same for many paths in four processes: lines of `stat` and `sha256sum` for `splitFileStates`. */
export function fileStatesProbe(paths: readonly string[], quote: (word: string) => string): string {
  return [
    `kw=$(stat -c '%F|%a|%U|%G|%n' -- ${paths.map(quote).join(' ')})`,
    `printf '%s\\n' "$kw" '${SUMS}'`,
    `printf '%s\\n' "$kw" | sed -n 's/^regular[^|]*|[^|]*|[^|]*|[^|]*|//p' | xargs -r -d '\\n' sha256sum --`,
  ].join('\n');
}

/** What `fileStateProbe` would have said of each path. */
export function splitFileStates(output: string, paths: readonly string[]): string[] {
  const [stats = '', sums = ''] = output.split(`\n${SUMS}\n`);
  const sumOf = new Map<string, string>();
  for (const line of sums.split('\n')) {
    const [, escaped, sum = '', name = ''] = /^(\\?)([0-9a-f]{64}) [ *](.*)$/.exec(line) ?? [];
    // sha256sum writes a backslash of a name as two, and says so with one before the line.
    sumOf.set(escaped ? name.replaceAll('\\\\', '\\') : name, sum);
  }
  const stateOf = new Map<string, string>();
  for (const line of stats.split('\n')) {
    const [, state = '', name = ''] = /^([^|]*\|[^|]*\|[^|]*\|[^|]*)\|(.*)$/.exec(line) ?? [];
    stateOf.set(name, `${state}|${sumOf.get(name) ?? ''}`);
  }
  return paths.map((path) => stateOf.get(path) ?? '');
}

/** Anything not understood is absent, and so a difference. */
export function parseFileState(line: string): FileState {
  const [kind = '', mode = '', owner = '', group = '', sum = ''] = line.trim().split('|');
  if (mode === '') return ABSENT;
  const type = kind.startsWith('regular')
    ? 'file'
    : kind === 'directory'
      ? 'directory'
      : kind === 'symbolic link'
        ? 'symlink'
        : 'other';
  return { type, mode: Number.parseInt(mode, 8), owner, group, sha256: sum.slice(0, 64) };
}
