import { digestOfParts } from './digest.ts';
import { entryKey } from './ledger.ts';
import { absolute } from './path-check.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface UserResource extends Resource {
  readonly kind: 'user';
  readonly home: string;
  readonly shell: string;
  readonly system: boolean;
}

interface UserState {
  exists: boolean;
  home: string;
  shell: string;
}

/** A local account with a group of its own name. Its home is not made: that is a directory's business. */
export function user(name: string, options: { home?: string; shell?: string; system?: boolean } = {}): UserResource {
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(name)) throw new Error(`not a user name: ${JSON.stringify(name)}`);
  const { home = '/nonexistent', shell = '/usr/sbin/nologin', system = true } = options;
  return { kind: 'user', id: name, home: absolute(home), shell: absolute(shell), system };
}

export default defineKind<UserResource, UserState>({
  kind: 'user',
  // The shadow entry comes last; its fields stay on the host. getent: 2 = no such entry.
  probe: ({ id }, quote) =>
    [
      `kw_entry() {`,
      `  kw=$(getent "$1" -- ${quote(id)}) && return`,
      `  kw_code=$?; [ "$kw_code" = 2 ] || kw_unknown "getent $1: exit code $kw_code"`,
      `  echo absent; exit 0`,
      `}`,
      `kw_entry passwd; printf '%s\\n' "$kw"`,
      `kw_entry group; printf '%s\\n' "$kw"`,
      `kw_entry shadow; printf '%s\\n' "\${kw%%:*}"`,
    ].join('\n'),
  parse(output, { id }) {
    const lines = output.split('\n');
    if (!lines.includes('absent') && lines.length < 4) throw new Unknown(`getent said: ${output.slice(0, 200)}`);
    const [account = '', group = '', shadow = ''] = lines;
    const fields = account.split(':');
    const exists = fields[0] === id && group.startsWith(`${id}:`) && shadow === id;
    return { exists, home: fields[5] ?? '', shell: fields[6] ?? '' };
  },
  diff(resource, { exists, home, shell }) {
    const key = resourceKey(resource);
    if (!exists) return [{ resource: key, action: 'create', detail: resource.system ? 'system account' : 'account' }];
    const details: string[] = [];
    if (home !== resource.home) details.push(`home ${home} → ${resource.home}`);
    if (shell !== resource.shell) details.push(`shell ${shell} → ${resource.shell}`);
    return details.length > 0 ? [{ resource: key, action: 'update', detail: details.join(', ') }] : [];
  },
  fragment: ({ id, home, shell, system }, _observed, { quote }) => ({
    script: [
      `getent group -- ${quote(id)} >/dev/null || groupadd ${system ? '--system ' : ''}-- ${quote(id)}`,
      `if getent passwd -- ${quote(id)} >/dev/null; then`,
      `  getent shadow -- ${quote(id)} >/dev/null || pwconv`,
      `  usermod --home ${quote(home)} --shell ${quote(shell)} -- ${quote(id)}`,
      'else',
      `  useradd ${system ? '--system ' : ''}--gid ${quote(id)} --home-dir ${quote(home)} --shell ${quote(shell)} --no-create-home -- ${quote(id)}`,
      'fi',
    ].join('\n'),
  }),
  ledgerEntries: (_resource, observed) => {
    if (observed === null) return [{ prior: { made: true } }];
    const { exists, home, shell } = observed;
    return [{ prior: exists ? { home, shell } : { made: true } }];
  },
  undo: (entries, { quote }) =>
    entries.map((entry) => {
      const { home = '', shell = '' } = (entry.prior ?? {}) as { home?: string; shell?: string };
      const name = quote(entry.id);
      const there = `getent passwd -- ${name} >/dev/null`;
      const script =
        home === ''
          ? `if ${there}; then userdel -- ${name} >&2 && kw_tell removed account || exit 1; fi
if getent group -- ${name} >/dev/null; then groupdel -- ${name} || exit 1; fi`
          : `if ${there}; then usermod --home ${quote(home)} --shell ${quote(shell)} -- ${name} && kw_tell restored 'home and shell' || exit 1; fi`;
      return { key: entryKey(entry), script };
    }),
  digest: ({ home, shell, system }) => digestOfParts([home, shell, String(system)]),
});
