import { digestOfParts } from './digest.ts';
import { entryKey } from './ledger.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';

export interface SelinuxBooleansResource extends Resource {
  readonly kind: 'selinux-booleans';
  readonly booleans: readonly string[];
}

const NAME = /^[a-z0-9_]{1,64}$/;
/** Writing one for good compiles the policy: some seconds. */
const SET_MS = 60_000;

/** Booleans of SELinux that are on, now and at each boot; nothing where SELinux is off or does not know them. */
export function selinuxBooleans(booleans: readonly string[]): SelinuxBooleansResource {
  return { kind: 'selinux-booleans', id: booleans.join(' '), booleans };
}

export default defineKind<SelinuxBooleansResource, readonly string[]>({
  kind: 'selinux-booleans',
  // `name --> off`; fails for a boolean that the policy does not have.
  probe: ({ booleans }, quote) => `echo looked
if command -v getsebool >/dev/null && selinuxenabled 2>/dev/null; then
  for kw_b in ${booleans.map(quote).join(' ')}; do getsebool "$kw_b" 2>/dev/null; done
fi`,
  parse: (output, { booleans }) => booleans.filter((name) => output.split('\n').includes(`${name} --> off`)),
  diff: (resource, off) =>
    off.length === 0 ? [] : [{ resource: resourceKey(resource), action: 'update', detail: `on: ${off.join(' ')}` }],
  fragment: (_resource, off, { quote }) => ({
    script: `setsebool -P ${off.map((name) => quote(`${name}=on`)).join(' ')}`,
    timeoutMs: SET_MS,
  }),
  ledgerEntries: (_resource, off) => (off ?? []).map((id) => ({ id, prior: { was: 'off' } })),
  owns: ({ booleans }, { kind, id }) => kind === 'selinux-booleans' && booleans.includes(id),
  undo: (entries, { quote }) =>
    entries
      .filter(({ id }) => NAME.test(id))
      .map((entry) => ({
        key: entryKey(entry),
        script: `command -v setsebool >/dev/null || exit 0\nsetsebool -P ${quote(`${entry.id}=off`)} && kw_tell restored off`,
      })),
  digest: ({ booleans }) => digestOfParts(booleans),
});
