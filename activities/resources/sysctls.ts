import { digestOfParts, octal, sha256 } from './digest.ts';
import { type FileState, fileStateProbe, parseFileState } from './file-state.ts';
import { entryKey } from './ledger.ts';
import { absolute } from './path-check.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { shCode } from './sh-code.ts';

export interface SysctlsResource extends Resource {
  readonly kind: 'sysctls';
  /** Sorted by key. */
  readonly values: readonly (readonly [key: string, value: string])[];
  /** Keys whose value is a lower bound: a host that has more of it keeps it. */
  readonly atLeast: readonly string[];
}

interface SysctlsState {
  file: FileState;
  /** Live values in the order of `values`; null where the kernel has no such key. */
  live: (string | null)[];
  /** Lines of other files that set one of the keys: `file:line:text`. */
  others: string[];
}

/**
 * Kernel parameters: kept in a file under /etc/sysctl.d, and live. A key that the kernel lacks is an error. Of the keys
 * in `atLeast` (whole numbers) a greater live value is kept, in the file too.
 */
export function sysctls(
  values: Readonly<Record<string, string | number>>,
  options: { file: string; atLeast?: readonly string[] },
): SysctlsResource {
  const pairs = Object.entries(values)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => [key, normal(String(value))] as const);
  for (const [key] of pairs) absolute(procPath(key));
  return { kind: 'sysctls', id: absolute(options.file), values: pairs, atLeast: options.atLeast ?? [] };
}

/** Where programs that set kernel parameters at boot read them: systemd-sysctl, sysctl(8) and ufw. */
export const SYSCTL_FILES = [
  '/etc/sysctl.conf',
  '/etc/sysctl.d/*.conf',
  '/run/sysctl.d/*.conf',
  '/usr/local/lib/sysctl.d/*.conf',
  '/usr/lib/sysctl.d/*.conf',
  '/etc/ufw/sysctl.conf',
];
/** Lines of other files that are read at most. */
const MAX_OTHERS = 100;

/** Dots separate, unless the key holds a slash: then slashes do (interface names hold dots), as in sysctl(8). */
const procPath = (key: string): string => `/proc/sys/${key.includes('/') ? key : key.replaceAll('.', '/')}`;
/** Of a key, as an extended regular expression: files may have it with dots or with slashes. */
const pattern = (key: string): string => key.replace(/[^a-zA-Z0-9_-]/g, '[./]');
const normal = (value: string): string => value.trim().replace(/\s+/g, ' ');
const isNumber = (text: string | null | undefined): text is string => /^\d{1,15}$/.test(text ?? '');

/** The values that this host should have: those of the resource, or the greater ones that it has. */
const wanted = ({ values, atLeast }: SysctlsResource, live: SysctlsState['live'] = []): string[] =>
  values.map(([key, value], index) => {
    const now = live[index];
    return atLeast.includes(key) && isNumber(now) && isNumber(value) && Number(now) > Number(value) ? now : value;
  });

const content = (resource: SysctlsResource, live?: SysctlsState['live']): string => {
  const values = wanted(resource, live);
  return `# Written by Kubewright.\n${resource.values.map(([key], index) => `${key} = ${values[index]}\n`).join('')}`;
};

/** Dots and slashes are the same in a key without an interface name. */
const sameKey = (a: string, b: string): boolean => a.replaceAll('/', '.') === b.replaceAll('/', '.');

/** A line of another file that gives the key another value, as words for a change; empty when there is none. */
function blame(others: readonly string[], key: string, value: string): string {
  for (const line of others) {
    const [, place, name = '', other = ''] = /^([^:]+:\d+):\s*-?\s*([^\s=]+)\s*=(.*)$/.exec(line) ?? [];
    if (place !== undefined && sameKey(name, key) && normal(other) !== value) {
      return ` (${place} says ${normal(other)})`;
    }
  }
  return '';
}

export default defineKind<SysctlsResource, SysctlsState>({
  kind: 'sysctls',
  probe: ({ id, values }, quote) =>
    [
      fileStateProbe(id, quote),
      ...values.map(([key]) => `printf '= %s\\n' "$(cat -- ${quote(procPath(key))} | tr '\\n' ' ' || echo)"`),
      `grep -sHnE -- ${quote(`^[[:space:]]*-?[[:space:]]*(${values.map(([key]) => pattern(key)).join('|')})[[:space:]]*=`)} ${SYSCTL_FILES.join(' ')} | grep -vF -- ${quote(`${id}:`)} | head -n ${MAX_OTHERS} | sed 's/^/: /'`,
    ].join('\n'),
  parse(output) {
    const [file = '', ...rest] = output.split('\n');
    const live = rest.filter((line) => line.startsWith('= ')).map((line) => normal(line.slice(2)));
    return {
      file: parseFileState(file),
      live: live.map((value) => (value === '' ? null : value)),
      others: rest.filter((line) => line.startsWith(': ')).map((line) => line.slice(2)),
    };
  },
  diff(resource, { file, live, others }) {
    const values = wanted(resource, live);
    const details = resource.values.flatMap(([key], index) => {
      const value = values[index]!;
      return live[index] === value ? [] : [`${key} ${live[index] ?? '(none)'} → ${value}${blame(others, key, value)}`];
    });
    if (!fileAsDesired(resource, file, live)) details.unshift(file.type === 'absent' ? 'new file' : 'file content');
    if (details.length === 0) return [];
    const action = file.type === 'absent' ? 'create' : 'update';
    return [{ resource: resourceKey(resource), action, detail: details.join(', ') }];
  },
  fragment(resource, { file, live }, { quote, payload }) {
    const text = content(resource, live);
    const lines = fileAsDesired(resource, file, live)
      ? []
      : [`put ${payload(text)} ${quote(resource.id)} 0644 root root ${sha256(text)}`];
    const values = wanted(resource, live);
    resource.values.forEach(([key], index) => {
      const value = values[index]!;
      if (live[index] === value) return;
      const path = quote(procPath(key));
      lines.push(
        `[ -e ${path} ] || { kw_fail ${shCode('KERNEL_FEATURE_MISSING')} ${quote(`the kernel has no parameter ${key}`)}; exit 1; }`,
        `printf '%s\\n' ${quote(value)} >${path}`,
      );
    });
    return { script: lines.join('\n') };
  },
  ledgerEntries(resource, observed) {
    const { id } = resource;
    const values = wanted(resource, observed?.live);
    const file = { kind: 'file', id, prior: {}, replaces: [id] };
    const changed = resource.values.flatMap(([key], index) => {
      const ours = values[index]!;
      const was = observed?.live[index] ?? null;
      return was === null || was === ours ? [] : [{ id: key, prior: { was, ours } }];
    });
    return [...(observed && fileAsDesired(resource, observed.file, observed.live) ? [] : [file]), ...changed];
  },
  owns: ({ id, values }, entry) =>
    (entry.kind === 'file' && entry.id === id) ||
    (entry.kind === 'sysctls' && values.some(([key]) => key === entry.id)),
  dry: 'together',
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
                `[ "$kw_now" = ${quote(ours)} ] || { kw_tell kept "it was set to $kw_now since"; exit 0; }`,
                `[ -n "$KW_DRY" ] || printf '%s\\n' ${quote(was)} >${path} && kw_tell restored ${quote(was)}`,
              ].join('\n'),
      };
    }),
  digest: (resource) => digestOfParts([content(resource)]),
});

const fileAsDesired = (resource: SysctlsResource, file: FileState, live: SysctlsState['live']): boolean =>
  file.type === 'file' &&
  file.sha256 === sha256(content(resource, live)) &&
  octal(file.mode) === '0644' &&
  file.owner === 'root';
