import { sha256 } from './digest.ts';
import { entryKey } from './ledger.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface HostnameResource extends Resource {
  readonly kind: 'hostname';
  readonly name: string;
}

interface HostnameState {
  live: string;
  file: string;
}

/** The machine's name, now and after a reboot. */
export function hostnameIs(name: string): HostnameResource {
  if (!/^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/.test(name)) throw new Error(`not a host name: ${JSON.stringify(name)}`);
  return { kind: 'hostname', id: 'hostname', name };
}

export default defineKind<HostnameResource, HostnameState>({
  kind: 'hostname',
  probe: () =>
    "uname -n || kw_unknown 'uname does not say the name'; kw_stat -L -c %F -- /etc/hostname || exit 0; cat /etc/hostname || kw_unknown '/etc/hostname cannot be read'",
  parse(output) {
    const [live = '', file = ''] = output.split('\n');
    if (live.trim() === '') throw new Unknown('uname said nothing');
    return { live: live.trim(), file: file.trim() };
  },
  diff(resource, { live, file }) {
    if (live === resource.name && file === resource.name) return [];
    return [{ resource: resourceKey(resource), action: 'update', detail: `${live} → ${resource.name}` }];
  },
  fragment: ({ name }, _observed, { quote, payload }) => ({
    script: [
      `put ${payload(`${name}\n`)} /etc/hostname 0644 root root`,
      `printf '%s\\n' ${quote(name)} >/proc/sys/kernel/hostname`,
    ].join('\n'),
  }),
  ledgerEntries: (_resource, observed) => [
    { prior: { was: observed?.live ?? '' } },
    { kind: 'file', id: '/etc/hostname', prior: {}, replaces: ['/etc/hostname'] },
  ],
  undo: (entries, { quote }) =>
    entries.map((entry) => {
      const { was = '' } = (entry.prior ?? {}) as { was?: string };
      const back = `printf '%s\\n' ${quote(was)} >/proc/sys/kernel/hostname && kw_tell restored ${quote(was)}`;
      return {
        key: entryKey(entry),
        script:
          was === ''
            ? "kw_tell kept 'what it was before is not known'"
            : `[ "$(uname -n)" = ${quote(was)} ] || { ${back}; }`,
      };
    }),
  digest: ({ name }) => sha256(name),
});
