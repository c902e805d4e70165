import { digestOfParts } from './digest.ts';
import { entryKey } from './ledger.ts';
import { absolute } from './path-check.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

/** A folder that SELinux labels as another one, whose rules the policy has. */
export interface LabelledFolder {
  readonly path: string;
  readonly like: string;
}

export interface SelinuxFoldersResource extends Resource {
  readonly kind: 'selinux-folders';
  readonly folders: readonly LabelledFolder[];
}

const KIND = 'selinux-folders';
/** semanage writes the policy anew: some seconds for each folder. */
const ADD_MS = 60_000;
const PATH = /^\/[A-Za-z0-9/._-]{1,255}$/;

/** Folders in places that the policy does not know, labelled as the usual ones; nothing where SELinux is off. */
export function selinuxFolders(folders: readonly LabelledFolder[]): SelinuxFoldersResource {
  for (const { path, like } of folders) for (const each of [path, like]) absolute(each);
  return { kind: KIND, id: folders.map(({ path }) => path).join(' '), folders };
}

/** A state: the folders whose rule is missing. */
export default defineKind<SelinuxFoldersResource, readonly LabelledFolder[]>({
  kind: KIND,
  // `<folder> <like>` lines of local rules. selinuxenabled: 1 where SELinux is off.
  probe: () => `if command -v semanage >/dev/null && selinuxenabled 2>/dev/null; then
  kw_type=$(sed -n 's/^SELINUXTYPE=\\([a-z]*\\).*/\\1/p' /etc/selinux/config 2>/dev/null)
  kw_subs=/etc/selinux/\${kw_type:-targeted}/contexts/files/file_contexts.subs
  if [ -e "$kw_subs" ]; then kw_says=$(cat -- "$kw_subs" 2>&1) || kw_unknown "$kw_says"; printf '%s\\n' "$kw_says"; fi
  echo on
elif command -v selinuxenabled >/dev/null && selinuxenabled 2>/dev/null; then kw_unknown 'SELinux is on, and there is no semanage'
else echo off
fi`,
  parse(output, { folders }) {
    const lines = output.split('\n').map((line) => line.trim().split(/\s+/).join(' '));
    if (lines.includes('off')) return [];
    if (!lines.includes('on')) throw new Unknown(`the rules of SELinux broke off: ${output.slice(-200)}`);
    return folders.filter(({ path, like }) => !lines.includes(`${path} ${like}`));
  },
  diff: (resource, missing) =>
    missing.length === 0
      ? []
      : [
          {
            resource: resourceKey(resource),
            action: 'update',
            detail: missing.map(({ path, like }) => `${path} as ${like}`).join(', '),
          },
        ],
  fragment: (_resource, missing, { quote }) => ({
    script: missing
      .flatMap(({ path, like }) => [
        `semanage fcontext -a -e ${quote(like)} ${quote(path)}`,
        `[ ! -e ${quote(path)} ] || restorecon -R -- ${quote(path)}`,
      ])
      .join('\n'),
    timeoutMs: ADD_MS * missing.length,
  }),
  ledgerEntries: (_resource, missing) => (missing ?? []).map(({ path, like }) => ({ id: path, prior: { like } })),
  owns: ({ folders }, { kind, id }) => kind === KIND && folders.some(({ path }) => path === id),
  undo: (entries, { quote }) =>
    entries.flatMap((entry) => {
      const like = entry.prior?.['like'];
      if (!PATH.test(entry.id) || typeof like !== 'string' || !PATH.test(like)) return [];
      const script = `command -v semanage >/dev/null || exit 0
semanage fcontext -d -e ${quote(like)} ${quote(entry.id)} && kw_tell removed ${quote(`labels as ${like}`)}`;
      return [{ key: entryKey(entry), script }];
    }),
  digest: ({ folders }) => digestOfParts(folders.flatMap(({ path, like }) => [path, like])),
});
