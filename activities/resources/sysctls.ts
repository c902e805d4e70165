import { digestOfParts, octal, sha256 } from './digest.ts';
import { type FileState, fileStateProbe, parseFileState } from './file-state.ts';
import { entryKey } from './ledger.ts';
import { absolute } from './path-check.ts';
import { type Resource, type ResourceKind, resourceKey } from './resource.ts';
import { shCode } from './sh-code.ts';

export interface SysctlsResource extends Resource {
  readonly kind: 'sysctls';
  /** Sorted by key. */
  readonly values: readonly (readonly [key: string, value: string])[];
}

interface SysctlsState {
  file: FileState;
  /** Live values in the order of `values`; null where the kernel has no such key. */
  live: (string | null)[];
}

/** Kernel parameters: kept in a file under /etc/sysctl.d, and live. A key that the kernel lacks is an error. */
export function sysctls(values: Readonly<Record<string, string | number>>, options: { file: string }): SysctlsResource {
  const pairs = Object.entries(values)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => [key, normal(String(value))] as const);
  for (const [key] of pairs) absolute(procPath(key));
  return { kind: 'sysctls', id: absolute(options.file), values: pairs };
}

/** Dots separate, unless the key holds a slash: then slashes do (interface names hold dots), as in sysctl(8). */
const procPath = (key: string): string => `/proc/sys/${key.includes('/') ? key : key.replaceAll('.', '/')}`;
const normal = (value: string): string => value.trim().replace(/\s+/g, ' ');
const content = ({ values }: SysctlsResource): string =>
  `# Written by Kubewright.\n${values.map(([key, value]) => `${key} = ${value}\n`).join('')}`;

export const sysctlsKind: ResourceKind<SysctlsResource, SysctlsState> = {
  kind: 'sysctls',
  probe: ({ id, values }, quote) =>
    [
      fileStateProbe(id, quote),
      ...values.map(([key]) => `printf '= %s\\n' "$(cat -- ${quote(procPath(key))} | tr '\\n' ' ' || echo)"`),
    ].join('\n'),
  parse(output) {
    const [file = '', ...rest] = output.split('\n');
    const live = rest.filter((line) => line.startsWith('= ')).map((line) => normal(line.slice(2)));
    return { file: parseFileState(file), live: live.map((value) => (value === '' ? null : value)) };
  },
  diff(resource, { file, live }) {
    const details = resource.values.flatMap(([key, value], index) =>
      live[index] === value ? [] : [`${key} ${live[index] ?? '(none)'} → ${value}`],
    );
    if (!fileAsDesired(resource, file)) details.unshift(file.type === 'absent' ? 'new file' : 'file content');
    if (details.length === 0) return [];
    const action = file.type === 'absent' ? 'create' : 'update';
    return [{ resource: resourceKey(resource), action, detail: details.join(', ') }];
  },
  fragment(resource, { file, live }, { quote, payload }) {
    const lines = fileAsDesired(resource, file)
      ? []
      : [`put ${payload(content(resource))} ${quote(resource.id)} 0644 root root ${sha256(content(resource))}`];
    resource.values.forEach(([key, value], index) => {
      if (live[index] === value) return;
      const path = quote(procPath(key));
      lines.push(
        `[ -e ${path} ] || { kw_fail ${shCode('KERNEL_FEATURE_MISSING')} ${quote(`the kernel has no parameter ${key}`)}; exit 1; }`,
        `printf '%s\\n' ${quote(value)} >${path}`,
      );
    });
    return { script: lines.join('\n') };
  },
  trace(resource, observed) {
    const { id, values } = resource;
    const file = { kind: 'file', id, prior: {}, replaces: [id] };
    const changed = values.flatMap(([key, ours], index) => {
      const was = observed?.live[index] ?? null;
      return was === null || was === ours ? [] : [{ id: key, prior: { was, ours } }];
    });
    return [...(observed && fileAsDesired(resource, observed.file) ? [] : [file]), ...changed];
  },
  undo: (entries, { quote }) =>
    entries.map((entry) => {
      const { was, ours } = (entry.prior ?? {}) as { was?: string; ours?: string };
      const path = quote(procPath(entry.id));
      return {
        key: entryKey(entry),
        script:
          was === undefined || ours === undefined
            ? "kw_tell kept 'what it was before is not known'"
            : [
                `[ -e ${path} ] || exit 0`,
                `kw_now=$(tr '\\n\\t' '  ' <${path} | sed 's/  */ /g; s/ $//')`,
                `[ "$kw_now" != ${quote(was)} ] || exit 0`,
                `[ "$kw_now" = ${quote(ours)} ] || { kw_tell kept "somebody has set it to $kw_now since"; exit 0; }`,
                `printf '%s\\n' ${quote(was)} >${path} && kw_tell restored ${quote(was)}`,
              ].join('\n'),
      };
    }),
  digest: (resource) => digestOfParts([content(resource)]),
};

const fileAsDesired = (resource: SysctlsResource, file: FileState): boolean =>
  file.type === 'file' &&
  file.sha256 === sha256(content(resource)) &&
  octal(file.mode) === '0644' &&
  file.owner === 'root';
