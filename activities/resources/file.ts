import type { Change } from '../../contracts/operation.ts';
import { digestOfParts, octal, sha256, short } from './digest.ts';
import { type FileState, fileStateProbe, fileStatesProbe, parseFileState, splitFileStates } from './file-state.ts';
import { entryKey } from './ledger.ts';
import { absolute } from './path-check.ts';
import { defineKind, type Fragment, plainText, type Resource, resourceKey, type Text } from './resource.ts';

export interface FileResource extends Resource {
  readonly kind: 'file';
  readonly content: Text;
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
}

/** A plain file with just this content, replaced atomically. Missing parent directories are made (0755, root). */
export function file(
  path: string,
  content: Text,
  options: { mode?: number; owner?: string; group?: string } = {},
): FileResource {
  const { mode = 0o644, owner = 'root', group = 'root' } = options;
  return { kind: 'file', id: absolute(path), content, mode, owner, group };
}

/** Where versions up to 0.1 noted files of others that they took away, without `foreign`; prepare places none there. */
const FOREIGN = /^\/etc\/(?:cni\/net\.d|systemd\/system\/[^/]+\.d)\//;

export default defineKind<FileResource, FileState>({
  kind: 'file',
  probe: ({ id }, quote) => fileStateProbe(id, quote),
  together: {
    probe: (resources, quote) =>
      fileStatesProbe(
        resources.map(({ id }) => id),
        quote,
      ),
    split: (output, resources) =>
      splitFileStates(
        output,
        resources.map(({ id }) => id),
      ),
  },
  parse: parseFileState,

  diff(resource, observed) {
    const change = (action: Change['action'], detail: string): Change[] => [
      { resource: resourceKey(resource), action, detail },
    ];
    const { content, mode, owner, group } = resource;
    if (observed.type === 'absent') return change('create', `${plainText(content).length} characters`);
    if (observed.type !== 'file') return change('update', `is a ${observed.type}, becomes a file`);
    const details: string[] = [];
    const sum = sha256(plainText(content));
    if (observed.sha256 !== sum) details.push(`content ${short(observed.sha256)} → ${short(sum)}`);
    if (observed.mode !== mode) details.push(`mode ${octal(observed.mode)} → ${octal(mode)}`);
    if (observed.owner !== owner || observed.group !== group) {
      details.push(`owner ${observed.owner}:${observed.group} → ${owner}:${group}`);
    }
    return details.length > 0 ? change('update', details.join(', ')) : [];
  },

  fragment(resource, observed, { quote, payload }): Fragment {
    const { id, content, mode, owner, group } = resource;
    const sum = sha256(plainText(content));
    if (observed.type === 'file' && observed.sha256 === sum) {
      return {
        script: `chown -h -- ${quote(`${owner}:${group}`)} ${quote(id)}\nchmod -- ${octal(mode)} ${quote(id)}`,
      };
    }
    const number = payload(plainText(content));
    return { script: `put ${number} ${quote(id)} ${octal(mode)} ${quote(owner)} ${quote(group)} ${sum}` };
  },

  ledgerEntries: ({ id }) => [{ prior: {}, replaces: [id] }],
  dry: 'together',
  outlives: ({ id, phase, prior }) => prior?.['foreign'] === true || (phase === 'prepare' && FOREIGN.test(id)),
  undo: (entries, { quote }) =>
    entries.map((entry) => ({ key: entryKey(entry), script: `kw_take_back ${quote(entry.id)}` })),
  digest: ({ content, mode, owner, group }) => digestOfParts([plainText(content), octal(mode), owner, group]),
  secrets: ({ content }) => (typeof content === 'string' ? [] : [content.value]),
});
