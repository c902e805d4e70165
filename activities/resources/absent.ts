import { sha256 } from './digest.ts';
import { removable } from './path-check.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface AbsentResource extends Resource {
  readonly kind: 'absent';
}

/** Nothing is at this path: a file, a link, or a whole folder is removed. */
export function absent(path: string): AbsentResource {
  return { kind: 'absent', id: removable(path) };
}

export default defineKind<AbsentResource, { gone: boolean }>({
  kind: 'absent',
  probe: ({ id }, quote) => `if kw_stat -c %F -- ${quote(id)}; then echo present; else echo absent; fi`,
  parse(output) {
    if (output !== 'present\n' && output !== 'absent\n') throw new Unknown(`stat said: ${output.slice(0, 200)}`);
    return { gone: output === 'absent\n' };
  },
  diff: (resource, { gone }) =>
    gone ? [] : [{ resource: resourceKey(resource), action: 'remove', detail: 'must not exist' }],
  fragment: ({ id }, _observed, { quote }) => ({ script: `rm -rf -- ${quote(id)}` }),
  ledgerEntries: ({ id }) => [{ kind: 'file', id, prior: {}, replaces: [id] }],
  digest: () => sha256('absent'),
});
