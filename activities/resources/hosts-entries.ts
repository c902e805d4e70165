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
}

interface HostsState {
  /** Null: there is no such file. */
  text: string | null;
}

const BEGIN = '# kubewright begin: managed block, changes in it are overwritten';
const END = '# kubewright end';
const HOSTS = '/etc/hosts';

/** A managed block in /etc/hosts; the rest of the file is left as it is. */
export function hostsEntries(entries: readonly HostsEntry[]): HostsEntriesResource {
  for (const { address, names } of entries) {
    for (const word of [address, ...names]) {
      if (!/^[A-Za-z0-9.:_-]+$/.test(word)) throw new Error(`not a word for ${HOSTS}: ${JSON.stringify(word)}`);
    }
  }
  return { kind: 'hosts-entries', id: HOSTS, entries };
}

const block = ({ entries }: HostsEntriesResource): string =>
  `${BEGIN}\n${entries.map(({ address, names }) => `${[address, ...names].join(' ')}\n`).join('')}${END}\n`;

/** The file with our block in place of any earlier one, at the end. An opening line without its end loses only itself. */
export function withBlock(text: string, wanted: string): string {
  const closed = /^# kubewright begin[^\n]*\n(?:(?!# kubewright begin)[^\n]*\n)*?# kubewright end[^\n]*(?:\n|$)/gm;
  const rest = text.replace(closed, '').replace(/^# kubewright begin[^\n]*(?:\n|$)/gm, '');
  return `${rest}${rest === '' || rest.endsWith('\n') ? '' : '\n'}${wanted}`;
}

/** In place: containers mount this file. A block without its end loses only its first line. */
const REMOVE_BLOCK = `grep -q '^# kubewright begin' ${HOSTS} || exit 0
if grep -q '^# kubewright end' ${HOSTS}; then kw_lines='/^# kubewright begin/,/^# kubewright end/d'
else kw_lines='/^# kubewright begin/d'
fi
kw_text=$(sed "$kw_lines" ${HOSTS} && echo x) || exit 1
printf '%s' "\${kw_text%x}" >${HOSTS} && kw_tell restored 'our block is out'`;

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
    const wanted = block(resource);
    if (text?.includes(wanted) && withBlock(text, wanted).length === text.length) return [];
    const action = text?.includes(BEGIN) ? 'update' : 'create';
    return [{ resource: resourceKey(resource), action, detail: `${resource.entries.length} entries` }];
  },
  fragment(resource, { text }, { payload }) {
    const number = payload(withBlock(text ?? '127.0.0.1 localhost\n', block(resource)));
    // Containers mount this file: a rename is refused there, so it is written in place.
    return { script: `put ${number} ${HOSTS} 0644 root root 2>/dev/null || cat -- "$KW_TMP/${number}" >${HOSTS}` };
  },
  ledgerEntries: () => [{ prior: {} }],
  undo: (entries) => entries.map((entry) => ({ key: entryKey(entry), script: REMOVE_BLOCK })),
  digest: (resource) => sha256(block(resource)),
});
