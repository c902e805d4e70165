import { sha256 } from './digest.ts';
import { type FileState, fileStateProbe, parseFileState } from './file-state.ts';
import { entryKey } from './ledger.ts';
import { absolute } from './path-check.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { shCode } from './sh-code.ts';

export interface KernelModulesResource extends Resource {
  readonly kind: 'kernel-modules';
  readonly names: readonly string[];
}

interface ModulesState {
  file: FileState;
  missing: string[];
}

/**
 * Where a module shows itself when it is built into the kernel: /sys/module has only built-in modules with parameters,
 * and a container of the lab has no modules.builtin.
 */
const SIGNS: Readonly<Record<string, string>> = {
  br_netfilter: '/proc/sys/net/bridge/bridge-nf-call-iptables',
  nf_conntrack: '/proc/sys/net/netfilter/nf_conntrack_max',
  ip_tables: '/proc/net/ip_tables_names',
  ip6_tables: '/proc/net/ip6_tables_names',
};

/** Kernel modules: loaded now, and at boot by a file under /etc/modules-load.d. KERNEL_FEATURE_MISSING when one is not there. */
export function kernelModules(names: readonly string[], options: { file: string }): KernelModulesResource {
  for (const name of names) {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) throw new Error(`not a kernel module: ${name}`);
  }
  return { kind: 'kernel-modules', id: absolute(options.file), names: [...new Set(names)].sort() };
}

const content = ({ names }: KernelModulesResource): string => `# Written by Kubewright.\n${names.join('\n')}\n`;

/** sh that succeeds when the kernel has the module, loaded or built in. */
function present(name: string): string {
  const plain = name.replaceAll('-', '_');
  const pattern = `/${plain.replaceAll('_', '[-_]')}[.]ko`;
  const sign = SIGNS[plain];
  return [
    `[ -d /sys/module/${plain} ]`,
    ...(sign ? [`[ -e ${sign} ]`] : []),
    `grep -qsw '${plain}' /proc/filesystems`,
    `grep -qs '${pattern}' "/lib/modules/$(uname -r)/modules.builtin"`,
  ].join(' || ');
}

export default defineKind<KernelModulesResource, ModulesState>({
  kind: 'kernel-modules',
  probe: ({ id, names }, quote) =>
    [
      `[ -r /proc/filesystems ] || kw_unknown '/proc cannot be read'`,
      fileStateProbe(id, quote),
      ...names.map((name) => `{ ${present(name)}; } && echo ${quote(`has ${name}`)}`),
    ].join('\n'),
  parse(output, { names }) {
    const [file = '', ...rest] = output.split('\n');
    const has = new Set(rest.map((line) => line.replace(/^has /, '')));
    return { file: parseFileState(file), missing: names.filter((name) => !has.has(name)) };
  },
  diff(resource, { file, missing }) {
    const details = missing.map((name) => `load ${name}`);
    if (!asDesired(resource, file)) details.unshift(file.type === 'absent' ? 'new file' : 'file content');
    if (details.length === 0) return [];
    const action = file.type === 'absent' ? 'create' : 'update';
    return [{ resource: resourceKey(resource), action, detail: details.join(', ') }];
  },
  fragment(resource, { file, missing }, { quote, payload }) {
    const lines = missing.map(
      (name) =>
        `kw_says=$(modprobe -- ${quote(name)} 2>&1) || { kw_fail ${shCode('KERNEL_FEATURE_MISSING')} ${quote(`the kernel has no module ${name}`)}; printf '%s\\n' "$kw_says"; uname -r; exit 1; }`,
    );
    if (!asDesired(resource, file)) {
      lines.push(`put ${payload(content(resource))} ${quote(resource.id)} 0644 root root`);
    }
    return { script: lines.join('\n') };
  },
  ledgerEntries: (resource, observed) => [
    { kind: 'file', id: resource.id, prior: {}, replaces: [resource.id] },
    ...(observed?.missing ?? []).map((name) => ({ id: name, prior: {} })),
  ],
  owns: ({ id, names }, entry) =>
    (entry.kind === 'file' && entry.id === id) || (entry.kind === 'kernel-modules' && names.includes(entry.id)),
  // A module may be in use by now, and unloading is the kernel's riskiest path.
  undo: (entries) =>
    entries.map((entry) => ({ key: entryKey(entry), script: "kw_tell kept 'it stays loaded until the next boot'" })),
  digest: (resource) => sha256(content(resource)),
});

const asDesired = (resource: KernelModulesResource, file: FileState): boolean =>
  file.type === 'file' && file.sha256 === sha256(content(resource)) && file.mode === 0o644;
