import type { ClusterSpec } from '../../../../contracts/cluster.ts';
import type { Host } from '../../../../contracts/host.ts';
import { isContainer } from '../../../kube/container-host.ts';
import { kubeSysctls, LOWER_BOUNDS, SYSCTL_FILE } from '../../../kube/sysctls.ts';
import { rawPhaseOptions } from '../../options.ts';
import { runsPods } from '../../placement.ts';
import { defineCheck } from '../check.ts';

/** One assignment of a kernel setting in a file. */
interface Assignment {
  file: string;
  line: string;
  /** With dots; may hold the wildcards * and ?. */
  key: string;
  value: string;
}

/** Folders of systemd-sysctl: of several files of one name, that of the first folder counts. */
const FOLDERS = ['/etc/sysctl.d/', '/run/sysctl.d/', '/usr/local/lib/sysctl.d/', '/usr/lib/sysctl.d/'];

/** What every kernel setting should be, further names of the same setting included. */
function settings({ cluster, host }: { cluster: ClusterSpec; host: Host }, container: boolean): Map<string, string> {
  const more = rawPhaseOptions(cluster, 'prepare', host)['sysctls'];
  const values = { ...kubeSysctls(container), ...(more as Record<string, string> | undefined) };
  const map = new Map(Object.entries(values).map(([key, value]) => [dotted(key), plain(String(value))]));
  // Two names of one setting (Documentation/networking/ip-sysctl.rst).
  map.set('net.ipv4.conf.all.forwarding', map.get('net.ipv4.ip_forward') ?? '1');
  // Modules that kube-proxy and the pod network load later would stay away.
  if (!map.has('kernel.modules_disabled')) map.set('kernel.modules_disabled', '0');
  return map;
}

const dotted = (key: string): string => key.replaceAll('/', '.');
const plain = (value: string): string => value.trim().replace(/\s+/g, ' ');

/** Settings whose order does not matter: they are switched at once and for good, or for single interfaces. */
const ANYWHERE = /^(kernel\.modules_disabled|net\.ipv4\.conf\.(?!all\.|default\.).+\.forwarding)$/;

function matches(pattern: string, key: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === key;
  const text = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^.]*')
    .replaceAll('?', '[^.]');
  return new RegExp(`^${text}$`).test(key);
}

/** Does the value do as well as the one that we want? */
function good(key: string, wanted: string, value: string): boolean {
  if (value === wanted) return true;
  if (LOWER_BOUNDS.includes(key)) return Number(value) >= Number(wanted);
  // Only strict filtering (1) drops packets of pods.
  return key === 'net.ipv4.conf.all.rp_filter' && wanted === '2' && value === '0';
}

/** The key of ours that an assignment spoils; null when it does no harm. */
function spoils({ key, value }: Assignment, settingsNeeded: ReadonlyMap<string, string>): string | null {
  for (const [ours, wanted] of settingsNeeded) if (matches(key, ours) && !good(ours, wanted, value)) return ours;
  return /^net\.ipv4\.conf\..+\.forwarding$/.test(key) && value === '0' ? key : null;
}

const nameOf = (file: string): string => file.slice(file.lastIndexOf('/') + 1);

/** Who applies the file after ours, in words; null: ours wins. */
function winsBy({ file, key }: Assignment, ufw: string | undefined): string | null {
  if (file === ufw) return 'ufw applies it at each start';
  if (file === '/etc/sysctl.conf') return '`sysctl --system` applies it last';
  if (nameOf(file) > nameOf(SYSCTL_FILE)) return `it sorts after ${SYSCTL_FILE}`;
  return ANYWHERE.test(key) ? 'it holds whatever comes after it' : null;
}

export default defineCheck({
  name: 'sysctl-files',
  about: 'kernel',
  title: 'Files with kernel settings',
  inspects: `Files of systemd-sysctl, \`sysctl --system\` and ufw that take back a setting of ${SYSCTL_FILE} or switch off the loading of modules, on control planes and workers. A file that sorts before ours is no problem.`,
  codes: ['SYSCTL_OVERRIDDEN'],
  probe: {
    script: `
keys=$1
set --
for file in ${FOLDERS.map((folder) => `${folder}*.conf`).join(' ')} /etc/sysctl.conf; do
  # Debian's 99-sysctl.conf is a link to the last of them.
  if [ -L "$file" ] && [ "$(readlink -f -- "$file")" = /etc/sysctl.conf ]; then continue
  elif [ -f "$file" ]; then set -- "$@" "$file"
  elif [ -L "$file" ]; then say masked "$file"
  fi
done
if grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf; then
  ufw=$(sed -n "s/^IPT_SYSCTL=//p" /etc/default/ufw 2>/dev/null | tail -n 1 | tr -d "\\"'")
  if [ -f "$ufw" ]; then say ufw "$ufw"; set -- "$@" "$ufw"; fi
fi
[ $# -gt 0 ] || return 0
awk -v "keys= $keys " '
  /^[ \\t]*([#;]|$)/ { next }
  {
    at = index($0, "=")
    if (at == 0) next
    key = substr($0, 1, at - 1)
    value = substr($0, at + 1)
    gsub(/^[ \\t-]+|[ \\t\\r]+$/, "", key)
    gsub(/^[ \\t]+|[ \\t\\r]+$/, "", value)
    gsub(/[ \\t]+/, " ", value)
    gsub("/", ".", key)
    if (index(keys, " " key " ") || key ~ /[*?]/ || key ~ /^net[.]ipv4[.]conf[.].*[.]forwarding$/)
      printf "%s\\t%s\\t%s\\t%s\\n", FILENAME, FNR, key, value
  }' "$@" | while IFS='\t' read -r file line key value; do say set "$file" "$line" "$key" "$value"; done`,
    args: (of) => (runsPods(of.host) ? [[...settings(of, false).keys()].join(' ')] : null),
  },
  evaluate(of, rows) {
    const settingsNeeded = settings(of, isContainer(of.facts));
    const ufw = rows.find(([word]) => word === 'ufw')?.[1];
    const files = new Set(rows.flatMap(([word, file = '']) => (word === 'ufw' ? [] : [file])));
    const hidden = (file: string) =>
      FOLDERS.some((folder, rank) => {
        const own = FOLDERS.findIndex((each) => file.startsWith(each));
        return rank < own && files.has(folder + nameOf(file));
      });
    return rows.flatMap(([word, file = '', line = '', key = '', value = '']) => {
      if (word !== 'set' || file === SYSCTL_FILE || hidden(file)) return [];
      const assignment = { file, line, key, value };
      const spoilt = spoils(assignment, settingsNeeded);
      const wins = spoilt === null ? null : winsBy(assignment, ufw);
      if (spoilt === null || wins === null) return [];
      const wanted = settingsNeeded.get(spoilt) ?? '1';
      return [
        {
          code: 'SYSCTL_OVERRIDDEN' as const,
          message: `${file} sets ${key} to ${value}, and wins over Kubewright's ${wanted}`,
          evidence: `${file}, line ${line}: ${key} = ${value}; wanted: ${spoilt} = ${wanted}; ${wins}`,
        },
      ];
    });
  },
});
