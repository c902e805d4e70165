import { sha256 } from './digest.ts';
import { entryKey } from './ledger.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface HostsEntry {
  readonly address: string;
  readonly names: readonly string[];
}

export interface HostsEntriesResource extends Resource {
  readonly kind: 'hosts-entries';
  readonly entries: readonly HostsEntry[];
  /** Word in the lines that enclose the block; empty: the first block that Kubewright had. */
  readonly block: string;
  readonly moves?: Moved | undefined;
}

/** Lines with this name that an earlier version wrote into this block, and the block that has them now. */
interface Moved {
  readonly name: string;
  readonly block: string;
}

interface HostsState {
  /** Null: there is no such file. */
  text: string | null;
}

const HOSTS = '/etc/hosts';
const idOf = (block: string): string => (block === '' ? HOSTS : `${HOSTS}#${block}`);
const opening = (block: string): string => `# kubewright ${block === '' ? '' : `${block} `}begin`;
const closing = (block: string): string => `# kubewright ${block === '' ? '' : `${block} `}end`;
const WARNING = 'managed block, changes in it are overwritten';

/**
 * A managed block in /etc/hosts; the rest of the file is left as it is. `block`: one of a name of its own, for a phase that may be
 * switched off. `moves`: lines of an earlier version go to another block in the same write, so that the name never fails to
 * resolve. Throws an Error for what is no word.
 */
export function hostsEntries(
  entries: readonly HostsEntry[],
  { block = '', moves }: { block?: string; moves?: Moved } = {},
): HostsEntriesResource {
  for (const { address, names } of entries) {
    for (const word of [address, ...names]) {
      if (!/^[A-Za-z0-9.:_-]+$/.test(word)) throw new Error(`not a word for ${HOSTS}: ${JSON.stringify(word)}`);
    }
  }
  if (block !== '' && !/^[a-z][a-z-]*$/.test(block)) throw new Error(`not a name of a block: ${JSON.stringify(block)}`);
  return { kind: 'hosts-entries', id: idOf(block), entries, block, ...(moves ? { moves } : {}) };
}

const blockOf = ({ entries, block }: HostsEntriesResource): string =>
  `${opening(block)}: ${WARNING}\n${entries.map(({ address, names }) => `${[address, ...names].join(' ')}\n`).join('')}${closing(block)}\n`;

/** The file with a block in place of any earlier one of its name, at the end. An opening line without its end loses only itself. */
export function withBlock(text: string, wanted: string, name = ''): string {
  const [begin, end] = [opening(name), closing(name)];
  const closed = new RegExp(`^${begin}[^\\n]*\\n(?:(?!${begin})[^\\n]*\\n)*?${end}[^\\n]*(?:\\n|$)`, 'gm');
  const rest = text.replace(closed, '').replace(new RegExp(`^${begin}[^\\n]*(?:\\n|$)`, 'gm'), '');
  return `${rest}${rest === '' || rest.endsWith('\n') ? '' : '\n'}${wanted}`;
}

/** Lines of the block that belong to another block now; none when that one is there. */
function movedLines({ block, moves }: HostsEntriesResource, text: string | null): string[] {
  if (!moves || text === null || text.includes(opening(moves.block))) return [];
  const [, lines = ''] = new RegExp(`^${opening(block)}[^\\n]*\\n([^]*?)^${closing(block)}`, 'm').exec(text) ?? [];
  return lines.split('\n').filter((line) => line.split(' ').slice(1).includes(moves.name));
}

function withMoved(resource: HostsEntriesResource, text: string | null): string {
  const wanted = blockOf(resource);
  const lines = movedLines(resource, text);
  const file = withBlock(text ?? '127.0.0.1 localhost\n', wanted, resource.block);
  if (lines.length === 0) return file;
  const { block } = resource.moves!;
  return `${file}${opening(block)}: moved here\n${lines.join('\n')}\n${closing(block)}\n`;
}

/** In place: containers mount this file. A block without its end loses only its first line. */
const removeBlock = (name: string): string => `kw_begin='^${opening(name)}' kw_end='^${closing(name)}'
grep -q "$kw_begin" ${HOSTS} || exit 0
if grep -q "$kw_end" ${HOSTS}; then kw_lines="/$kw_begin/,/$kw_end/d"
else kw_lines="/$kw_begin/d"
fi
kw_text=$(sed "$kw_lines" ${HOSTS} && echo x) || exit 1
printf '%s' "\${kw_text%x}" >${HOSTS} && kw_tell restored 'our block is out'`;

const nameOf = (id: string): string => id.slice(HOSTS.length + 1);

export default defineKind<HostsEntriesResource, HostsState>({
  kind: 'hosts-entries',
  // The line end after it shows that the whole file was read: one that cannot be read must never be written anew.
  probe: () =>
    `kw_stat -L -c %F -- ${HOSTS} || { echo absent; exit 0; }\necho present\ncat -- ${HOSTS} || kw_unknown '${HOSTS} cannot be read'\necho`,
  parse(output) {
    if (output === 'absent\n') return { text: null };
    const [, text] = /^present\n([^]*)\n$/.exec(output) ?? [];
    if (text === undefined) throw new Unknown(`${HOSTS} was not read to its end`);
    return { text };
  },
  diff(resource, { text }) {
    const wanted = blockOf(resource);
    if (text?.includes(wanted) && withBlock(text, wanted, resource.block).length === text.length) return [];
    const action = text?.includes(opening(resource.block)) ? 'update' : 'create';
    return [{ resource: resourceKey(resource), action, detail: `${resource.entries.length} entries` }];
  },
  fragment(resource, { text }, { payload }) {
    const number = payload(withMoved(resource, text));
    // Containers mount this file: a rename is refused there, so it is written in place.
    return { script: `put ${number} ${HOSTS} 0644 root root 2>/dev/null || cat -- "$KW_TMP/${number}" >${HOSTS}` };
  },
  // The block that lines move to is taken away where its phase is off.
  ledgerEntries: (resource, observed) => [
    { prior: {} },
    ...(observed && movedLines(resource, observed.text).length > 0
      ? [{ id: idOf(resource.moves!.block), prior: {} }]
      : []),
  ],
  undo: (entries) => entries.map((entry) => ({ key: entryKey(entry), script: removeBlock(nameOf(entry.id)) })),
  digest: (resource) => sha256(blockOf(resource)),
});
