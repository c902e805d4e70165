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
