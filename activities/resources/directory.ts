import { digestOfParts, octal } from './digest.ts';
import { type FileState, fileStateProbe, fileStatesProbe, parseFileState, splitFileStates } from './file-state.ts';
import { entryKey } from './ledger.ts';
import { absolute } from './path-check.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';

export interface DirectoryResource extends Resource {
  readonly kind: 'directory';
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
}

/** A directory with its parents; what is in it is left alone. */
export function directory(
  path: string,
  options: { mode?: number; owner?: string; group?: string } = {},
): DirectoryResource {
  const { mode = 0o755, owner = 'root', group = 'root' } = options;
  return { kind: 'directory', id: absolute(path), mode, owner, group };
}

const inside = ({ id }: DirectoryResource): string => `${id}/.`;

export default defineKind<DirectoryResource, FileState>({
  kind: 'directory',
  // Through a link: /var/lib/x may well live on another disk.
  probe: (resource, quote) => fileStateProbe(inside(resource), quote),
  // The name with `/.` is that of the directory itself: a link is followed, what is no directory is not there.
  together: {
    probe: (resources, quote) => fileStatesProbe(resources.map(inside), quote),
    split: (output, resources) => splitFileStates(output, resources.map(inside)),
  },
  parse: parseFileState,
  diff(resource, observed) {
    const { mode, owner, group } = resource;
    if (observed.type === 'absent') return [{ resource: resourceKey(resource), action: 'create', detail: octal(mode) }];
    const details: string[] = [];
    if (observed.mode !== mode) details.push(`mode ${octal(observed.mode)} → ${octal(mode)}`);
    if (observed.owner !== owner || observed.group !== group) {
      details.push(`owner ${observed.owner}:${observed.group} → ${owner}:${group}`);
    }
    if (details.length === 0) return [];
    return [{ resource: resourceKey(resource), action: 'update', detail: details.join(', ') }];
  },
  fragment: ({ id, mode, owner, group }, _observed, { quote }) => ({
    script: [
      `mkdir -p -- ${quote(id)}`,
      `chown -- ${quote(`${owner}:${group}`)} ${quote(id)}`,
      `chmod -- ${octal(mode)} ${quote(id)}`,
    ].join('\n'),
  }),
  ledgerEntries: ({ id }, observed) => {
    if (observed === null || observed.type === 'absent') return [{ prior: { made: true }, makes: [id] }];
    const { mode, owner, group } = observed;
    return [{ prior: { mode: octal(mode), owner, group } }];
  },
  dry: 'together',
  keptStays: true,
  // One that we made goes when it is empty: what others put into it is theirs.
  undo: (entries, { quote }) =>
    entries.map((entry) => {
      const { mode, owner, group } = (entry.prior ?? {}) as { mode?: string; owner?: string; group?: string };
      const path = quote(entry.id);
      if (mode === undefined) return { key: entryKey(entry), script: `kw_remove_folder ${path}` };
      const as = quote(`${mode.replace(/^0/, '')} ${owner}:${group}`);
      const lines = [
        `kw_now=$(stat -L -c '%a %U:%G' -- ${path} 2>/dev/null) && [ "$kw_now" != ${as} ] || exit 0`,
        `if [ -n "$KW_DRY" ]; then kw_tell restored 'mode and owner'; exit 0; fi`,
        `chown -- ${quote(`${owner}:${group}`)} ${path} && chmod -- ${mode} ${path} && kw_tell restored 'mode and owner'`,
      ];
      return { key: entryKey(entry), script: lines.join('\n') };
    }),
  places: ({ id }) => [id],
  digest: ({ mode, owner, group }) => digestOfParts([octal(mode), owner, group]),
});
