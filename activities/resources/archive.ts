import type { ResolvedFile } from '../artifacts/source.ts';
import { digestOfParts, sha256, short } from './digest.ts';
import { entryKey } from './ledger.ts';
import { absolute } from './path-check.ts';
import { ARTIFACT_STAMP_DIR, stampName } from './paths.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { fetchCall, TRANSFER_TIMEOUT_MS } from './transfer.ts';
import { Unknown } from './unknown.ts';

/** Which files of the archive go where below `into`. */
export type ArchiveSelection =
  | { readonly members: Readonly<Record<string, string>> }
  | { readonly stripComponents: number };

export type ArchiveResource = Resource & {
  readonly kind: 'archive';
  readonly file: ResolvedFile;
  readonly into: string;
} & ArchiveSelection;

interface ArchiveState {
  /** sha256 of the archive that was extracted last; empty when none was. */
  archive: string;
  /** Every file that came from it is as it was left. */
  intact: boolean;
}

/** Binaries inside release archives shrink to about a third. */
const EXTRACTED_TIMES = 4;

/** A tar.gz that the host downloads, checks and extracts; each file takes its place atomically, owned by root. */
export function archive(resolved: ResolvedFile, options: { into: string } & ArchiveSelection): ArchiveResource {
  const into = absolute(options.into);
  const base = { kind: 'archive' as const, file: resolved, into };
  if (!('members' in options)) {
    return { ...base, id: `${into}#${resolved.name}`, stripComponents: options.stripComponents };
  }
  for (const name of Object.values(options.members)) absolute(`${into}/${name}`);
  return { ...base, id: `${into}#${resolved.name}`, members: options.members };
}

const stampOf = ({ id }: ArchiveResource): string => `${ARTIFACT_STAMP_DIR}/${stampName(id, sha256(id))}.stamp`;
const NOW = '--- now';

export default defineKind<ArchiveResource, ArchiveState>({
  kind: 'archive',

  // The stamp lists every extracted file with size, mtime, inode and mode; below the line, what they are now.
  probe(resource, quote) {
    const stamp = quote(stampOf(resource));
    return [
      `kw_stat -L -c %F -- ${stamp} || { echo absent; exit 0; }`,
      `cat -- ${stamp} || kw_unknown ${quote(`${stampOf(resource)} cannot be read`)}`,
      `echo ${quote(NOW)}`,
      `kw_stat -L -c %F -- ${quote(resource.into)} && [ "$kw_says" = directory ] && cd -P ${quote(resource.into)} || exit 0`,
      `kw_says=$(sed 1d ${stamp} | cut -d' ' -f5- | xargs -r -d '\\n' stat -c '%s %.9Y %i %a %n' -- 2>&1 | sort)`,
      // A file that is gone is an answer, one that cannot be read is none.
      `case $kw_says in *'stat: '*) kw=$(printf '%s\\n' "$kw_says" | grep '^stat: ' | grep -Ev ': (No such file or directory|Not a directory)$') && kw_unknown "$kw" ;; esac`,
      `printf '%s\\n' "$kw_says"`,
    ].join('\n');
  },
  parse(output) {
    const [stamp = '', now = ''] = output.split(`${NOW}\n`);
    const [head = '', ...files] = stamp.split('\n');
    if (output.trim() === 'absent') return { archive: '', intact: false };
    if (!output.includes(`${NOW}\n`)) throw new Unknown(`no list of files after the stamp: ${output.slice(0, 200)}`);
    return { archive: head.trim(), intact: files.length > 1 && files.join('\n').trim() === now.trim() };
  },

  diff(resource, observed) {
    const { name, version, sha256: wanted } = resource.file;
    const detail = `${name} ${version}`;
    const key = resourceKey(resource);
    if (observed.archive === '') return [{ resource: key, action: 'create', detail }];
    const expected = `${wanted} ${selectionDigest(resource)}`;
    if (observed.archive !== expected) {
      return [{ resource: key, action: 'update', detail: `${detail}, archive → ${short(wanted)}` }];
    }
    return observed.intact ? [] : [{ resource: key, action: 'update', detail: `${detail}, a file was changed` }];
  },

  fragment(resource, _observed, { quote }) {
    const { file, into } = resource;
    const staging = `${into}/.kubewright-${sha256(resource.id).slice(0, 12)}`;
    const at = (name: string): string => quote(`${staging}/${name}`);
    return {
      lane: 'transfer',
      timeoutMs: TRANSFER_TIMEOUT_MS,
      script: [
        `kw_aside ${quote(staging)}`,
        `mkdir -p -- ${at('in')} ${at('out')}`,
        fetchCall(file, at('archive'), { quote, times: EXTRACTED_TIMES }),
        ...extraction(resource, { at, quote }),
        `chown -R root:root -- ${at('out')}`,
        `chmod -R u=rwX,go=rX -- ${at('out')}`,
        `kw_list=$(cd ${at('out')} && find . ! -type d -exec stat -c '%s %.9Y %i %a %n' -- {} + | sort)`,
        `(cd ${at('out')} && find . ! -type d) | while IFS= read -r kw_f; do`,
        `  mkdir -p -- ${quote(into)}/"$(dirname -- "$kw_f")"`,
        `  mv -f -T -- ${at('out')}/"$kw_f" ${quote(into)}/"$kw_f"`,
        'done',
        'kw_clear',
        // Last: what a crash left half-way is no "unchanged", whatever the old stamp says.
        `kw_stamp ${quote(stampOf(resource))} ${quote(`${file.sha256} ${selectionDigest(resource)}`)}"\n$kw_list"`,
      ].join('\n'),
    };
  },

  ledgerEntries: (resource) =>
    'members' in resource
      ? Object.values(resource.members).map((name) => {
          const id = `${resource.into}/${name}`;
          return { kind: 'file', id, prior: {}, replaces: [id] };
        })
      : [{ prior: { stamp: stampOf(resource), into: resource.into }, makes: [resource.into] }],
  // Of an archive that is taken as a whole, the stamp knows what was in it.
  undo: (entries, { quote }) =>
    entries.map((entry) => {
      const { stamp = '', into = '' } = (entry.prior ?? {}) as { stamp?: string; into?: string };
      const list = `sed 1d ${quote(stamp)} 2>/dev/null | cut -d' ' -f5- | cut -c3-`;
      const each = `while IFS= read -r kw_f; do kw_take_back ${quote(into)}/"$kw_f" || exit 1; done`;
      return { key: entryKey(entry), script: `${list} | ${each}` };
    }),
  // Of an archive that is extracted whole, its folder.
  places: (resource) =>
    'members' in resource ? Object.values(resource.members).map((name) => `${resource.into}/${name}`) : [resource.into],
  digest: (resource) => digestOfParts([resource.file.sha256, selectionDigest(resource)]),
  provides: (resource) =>
    'members' in resource
      ? [resource.id, ...Object.values(resource.members).map((name) => `${resource.into}/${name}`)]
      : [resource.id, resource.into],
});

function extraction(
  resource: ArchiveResource,
  { at, quote }: { at: (name: string) => string; quote: (word: string) => string },
): string[] {
  const tar = `tar -xzf ${at('archive')} --no-same-owner`;
  if (!('members' in resource)) return [`${tar} --strip-components=${resource.stripComponents} -C ${at('out')}`];
  const names = Object.keys(resource.members).sort();
  return [
    // Archives differ in a leading "./": the second try takes everything.
    `${tar} -C ${at('in')} -- ${names.map(quote).join(' ')} 2>/dev/null || ${tar} -C ${at('in')}`,
    ...names.flatMap((name) => {
      const target = resource.members[name]!;
      return [
        ...(target.includes('/') ? [`mkdir -p -- "$(dirname -- ${at(`out/${target}`)})"`] : []),
        `mv -f -T -- ${at(`in/${name}`)} ${at(`out/${target}`)}`,
      ];
    }),
  ];
}

function selectionDigest(resource: ArchiveResource): string {
  const selection =
    'members' in resource
      ? Object.keys(resource.members)
          .sort()
          .map((name) => `${name} ${resource.members[name]}`)
      : [`strip ${resource.stripComponents}`];
  return short(sha256(JSON.stringify(selection)));
}
