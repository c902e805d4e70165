import { sha256 } from './digest.ts';
import { absolute } from './path-check.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface SymlinkResource extends Resource {
  readonly kind: 'symlink';
  readonly target: string;
}

/** A symbolic link; replaces a file or a link, never a folder. */
export function symlink(path: string, target: string): SymlinkResource {
  return { kind: 'symlink', id: absolute(path), target };
}

export default defineKind<SymlinkResource, { target: string | null }>({
  kind: 'symlink',
  probe: ({ id }, quote) =>
    `kw_stat -c %F -- ${quote(id)} || { echo absent; exit 0; }
[ "$kw_says" = 'symbolic link' ] || { echo other; exit 0; }
printf 'link '
readlink -- ${quote(id)} || kw_unknown 'the link cannot be read'`,
  parse(output) {
    if (['absent\n', 'other\n'].includes(output)) return { target: null };
    const [, target] = /^link ([^]+)\n$/.exec(output) ?? [];
    if (target === undefined) throw new Unknown(`readlink said: ${output.slice(0, 200)}`);
    return { target };
  },
  diff(resource, { target }) {
    if (target === resource.target) return [];
    const action = target === null ? 'create' : 'update';
    return [{ resource: resourceKey(resource), action, detail: `→ ${resource.target}` }];
  },
  fragment({ id, target }, _observed, { quote }) {
    const slash = id.lastIndexOf('/');
    const staging = `${id.slice(0, slash)}/.${id.slice(slash + 1)}.kubewright-new`;
    return {
      script: [
        `mkdir -p -- ${quote(id.slice(0, slash) || '/')}`,
        `ln -sfn -- ${quote(target)} ${quote(staging)}`,
        `mv -f -T -- ${quote(staging)} ${quote(id)}`,
      ].join('\n'),
    };
  },
  ledgerEntries: ({ id }) => [{ kind: 'file', id, prior: {}, replaces: [id] }],
  places: ({ id }) => [id],
  digest: ({ target }) => sha256(target),
});
