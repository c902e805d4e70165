import { sha256 } from './digest.ts';
import { entryKey } from './ledger.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface SwapOffResource extends Resource {
  readonly kind: 'swap-off';
  /** The swap in use is not the host's to switch off (containers). */
  readonly ofOthers?: true;
}

interface SwapState {
  /** Devices in use. */
  active: string[];
  /** Lines of /etc/fstab that would bring swap back. */
  fstab: number;
}

/** No swap, now and after a reboot: switched off, and its lines in /etc/fstab commented out. */
export function swapOff({ ofOthers = false }: { ofOthers?: boolean } = {}): SwapOffResource {
  return { kind: 'swap-off', id: 'swap', ...(ofOthers ? { ofOthers } : {}) };
}

const FSTAB_LINE = '^[^#[:space:]][^[:space:]]*[[:space:]]+[^[:space:]]+[[:space:]]+swap([[:space:]]|$)';

export default defineKind<SwapOffResource, SwapState>({
  kind: 'swap-off',
  probe: () =>
    [
      // A kernel without swap has no such file.
      `if kw_stat -c %F -- /proc/swaps; then kw_says=$(sed 1d /proc/swaps) || kw_unknown '/proc/swaps cannot be read'; else kw_says=; fi`,
      `printf '%s\\n' "$kw_says" | while read -r kw_device _; do [ -z "$kw_device" ] || printf 'swap %s\\n' "$kw_device"; done`,
      'kw=0',
      `if kw_stat -L -c %F -- /etc/fstab; then kw=$(grep -Ec '${FSTAB_LINE}' /etc/fstab); [ $? -lt 2 ] || kw_unknown '/etc/fstab cannot be read'; fi`,
      `printf 'fstab %s\\n' "$kw"`,
    ].join('\n'),
  parse(output, { ofOthers }) {
    const lines = output.split('\n');
    if (!lines.some((line) => /^fstab \d+$/.test(line))) throw new Unknown(`swap: ${output.slice(0, 200)}`);
    return {
      active: ofOthers ? [] : lines.filter((line) => line.startsWith('swap ')).map((line) => line.slice(5)),
      fstab: Number(lines.find((line) => line.startsWith('fstab '))?.slice(6)),
    };
  },
  diff(resource, { active, fstab }) {
    if (active.length === 0 && fstab === 0) return [];
    const details = [...active.map((device) => `swapoff ${device}`), ...(fstab > 0 ? [`${fstab} lines of fstab`] : [])];
    return [{ resource: resourceKey(resource), action: 'update', detail: details.join(', ') }];
  },
  fragment: (_resource, { active, fstab }) => ({
    script: [
      // Only then: it also fails for a device of /etc/fstab that is not there.
      ...(active.length > 0 ? ['swapoff -a'] : []),
      // Not by sed's own -i: that leaves a moment without any fstab.
      'kw_new=/etc/.fstab.kubewright-new',
      'if [ -f /etc/fstab ]; then',
      '  if ! [ -e /etc/fstab.kubewright-orig ]; then',
      '    cp -p -- /etc/fstab "$kw_new"',
      '    mv -f -T -- "$kw_new" /etc/fstab.kubewright-orig',
      '  fi',
      '  cp -p -- /etc/fstab "$kw_new"',
      `  sed -E 's/${FSTAB_LINE}/# kubewright: &/' /etc/fstab >"$kw_new"`,
      '  mv -f -T -- "$kw_new" /etc/fstab',
      'fi',
      // Else systemd has the units that it made of these lines, and starts them when their device appears.
      ...(fstab > 0 ? ['systemctl daemon-reload'] : []),
    ].join('\n'),
    timeoutMs: 60_000,
  }),
  ledgerEntries: (_resource, observed) => [{ prior: { active: observed?.active ?? [] } }],
  undo: (entries, { quote }) =>
    entries.map((entry) => {
      const active = (entry.prior?.['active'] ?? []) as string[];
      return {
        key: entryKey(entry),
        script: [
          `if grep -qs '^# kubewright: ' /etc/fstab; then`,
          `  sed -i 's/^# kubewright: //' /etc/fstab && kw_tell restored 'its lines in /etc/fstab' || exit 1`,
          'fi',
          'rm -f -- /etc/fstab.kubewright-orig',
          ...active.map(
            (device) =>
              `grep -qs ${quote(`^${device} `)} /proc/swaps || { swapon -- ${quote(device)} && kw_tell restored ${quote(device)}; } || kw_tell kept ${quote(`${device} cannot be switched on again`)}`,
          ),
        ].join('\n'),
      };
    }),
  digest: () => sha256('swap-off'),
});
