import { Unknown } from './unknown.ts';

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

/** sh (probe-functions.ts) that prints one line for `parseFileState`. Symbolic links are not followed. */
export function fileStateProbe(path: string, quote: (word: string) => string): string {
  const word = quote(path);
  return `if kw_stat -c '%F|%a|%U|%G' -- ${word}; then kw=$kw_says kw_says=; case $kw in regular*) kw_sha256 ${word};; esac; printf '%s|%s\\n' "$kw" "$kw_says"; else echo absent; fi`;
}

/** The line between what stat and what sha256sum say. */
const SUMS = '--- sums';

/**
 * The same for many paths in a few processes: lines of `stat` and `sha256sum` for `splitFileStates`. Where one of them
 * cannot be read nothing is known of all: they are asked for again one by one.
 */
export function fileStatesProbe(paths: readonly string[], quote: (word: string) => string): string {
  return [
    `kw=$(stat -c '%F|%a|%U|%G|%n' -- ${paths.map(quote).join(' ')} 2>&1) || {`,
    // Some are not there: an answer. Any other failure is none.
    `  kw_says=$(printf '%s\\n' "$kw" | grep '^stat: ' | grep -Ev ': (No such file or directory|Not a directory)$') && kw_unknown "$kw_says"`,
    '}',
    `printf '%s\\n' "$kw" '${SUMS}'`,
    `kw_says=$(printf '%s\\n' "$kw" | sed -n 's/^regular[^|]*|[^|]*|[^|]*|[^|]*|//p' | xargs -r -d '\\n' sha256sum -- 2>&1) || kw_unknown "$kw_says"`,
    `printf '%s\\n' "$kw_says"`,
  ].join('\n');
}

/** What `fileStateProbe` would have said of each path. */
export function splitFileStates(output: string, paths: readonly string[]): string[] {
  const [stats = '', sums] = output.split(`\n${SUMS}\n`);
  if (sums === undefined) return paths.map(() => '');
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
  return paths.map((path) => stateOf.get(path) ?? 'absent');
}

/** Throws Unknown for anything but a whole line. */
export function parseFileState(line: string): FileState {
  const [kind = '', mode = '', owner = '', group = '', sum = ''] = line.trim().split('|');
  if (line.trim() === 'absent') return ABSENT;
  if (!/^[0-7]+$/.test(mode) || group === '') throw new Unknown(`stat said: ${line.slice(0, 200)}`);
  const type = kind.startsWith('regular')
    ? 'file'
    : kind === 'directory'
      ? 'directory'
      : kind === 'symbolic link'
        ? 'symlink'
        : 'other';
  if (type === 'file' && !/^[0-9a-f]{64}$/.test(sum.trim())) throw new Unknown(`sha256sum said: ${sum.slice(0, 200)}`);
  return { type, mode: Number.parseInt(mode, 8), owner, group, sha256: sum.slice(0, 64) };
}
