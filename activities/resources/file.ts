import type { Change } from '../../contracts/operation.ts';
import { digestOfParts, octal, sha256, short } from './digest.ts';
import { type FileState, fileStateProbe, fileStatesProbe, parseFileState, splitFileStates } from './file-state.ts';
import { entryKey } from './ledger.ts';
import { absolute } from './path-check.ts';
import { defineKind, type Fragment, plainText, type Resource, resourceKey, type Text } from './resource.ts';
import { shCode } from './sh-code.ts';

export interface FileResource extends Resource {
  readonly kind: 'file';
  readonly content: Text;
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
  readonly check?: readonly string[];
}

/** The word of `check` in whose place the path of the new content comes. */
export const CANDIDATE = '{}';

/**
 * A plain file with just this content, replaced atomically. Missing parent directories are made (0755, root).
 * `check`: argv of a program that reads the new content, at the path in the place of CANDIDATE beside the file. When it
 * fails the old file stays, and CONFIG_REFUSED has what it printed. The program has to be on the host before.
 */
export function file(
  path: string,
  content: Text,
  options: { mode?: number; owner?: string; group?: string; check?: readonly string[] } = {},
): FileResource {
  const { mode = 0o644, owner = 'root', group = 'root', check } = options;
  return { kind: 'file', id: absolute(path), content, mode, owner, group, ...(check ? { check } : {}) };
}

/** How long a check of a configuration may take: it may have to resolve names. */
const CHECK_MS = 30_000;

/** sh that puts the content beside the file, asks its program, and only then replaces the file. */
function checked({ id, check = [], mode, owner, group }: FileResource, number: number, sum: string, quote: Quote) {
  const candidate = `${id.slice(0, id.lastIndexOf('/') + 1)}.${id.slice(id.lastIndexOf('/') + 1)}.kubewright-candidate`;
  const argv = check.map((word) => quote(word === CANDIDATE ? candidate : word)).join(' ');
  const message = `the program that reads it refuses the new ${id}; the file is as it was`;
  return [
    `put ${number} ${quote(candidate)} ${octal(mode)} ${quote(owner)} ${quote(group)} ${sum}`,
    `if ! kw_says=$(${argv} 2>&1); then`,
    `  rm -f -- ${quote(candidate)}`,
    `  kw_fail ${shCode('CONFIG_REFUSED')} ${quote(message)}`,
    `  printf '%s\\n' "$kw_says" | tail -n 25`,
    '  exit 1',
    'fi',
    `mv -f -T -- ${quote(candidate)} ${quote(id)}`,
  ].join('\n');
}

type Quote = (word: string) => string;

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
    if (resource.check) return { script: checked(resource, number, sum, quote), timeoutMs: CHECK_MS };
    return { script: `put ${number} ${quote(id)} ${octal(mode)} ${quote(owner)} ${quote(group)} ${sum}` };
  },

  ledgerEntries: ({ id }) => [{ prior: {}, replaces: [id] }],
  dry: 'together',
  outlives: ({ id, phase, prior }) => prior?.['foreign'] === true || (phase === 'prepare' && FOREIGN.test(id)),
  undo: (entries, { quote }) =>
    entries.map((entry) => ({ key: entryKey(entry), script: `kw_take_back ${quote(entry.id)}` })),
  places: ({ id }) => [id],
  digest: ({ content, mode, owner, group }) => digestOfParts([plainText(content), octal(mode), owner, group]),
  secrets: ({ content }) => (typeof content === 'string' ? [] : [content.value]),
});
