import { isContainer } from '../../../kube/container-host.ts';
import { preparedWith, SYSCTL_FILE, settingsOf } from '../../prepare/public.ts';
import { isGoodValue, requiredModules } from '../../required.ts';
import type { RequiredSysctl } from '../../requires.ts';
import { type CheckHost, defineCheck } from '../check.ts';

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

/** What every kernel setting should be, further names of the same setting included; empty: nothing is required of the host. */
function settings({ cluster, host, requirements }: CheckHost, container: boolean): Map<string, RequiredSysctl> {
  const chosen = settingsOf(requirements, preparedWith(cluster, host).sysctls, { container });
  const map = new Map([...chosen].map(([key, setting]) => [dotted(key), { ...setting, value: plain(setting.value) }]));
  // Two names of one setting (Documentation/networking/ip-sysctl.rst).
  const forward = map.get('net.ipv4.ip_forward');
  if (forward) map.set('net.ipv4.conf.all.forwarding', forward);
  // Modules that are loaded later, when they are used, would stay away.
  if (requiredModules(requirements).length > 0 && !map.has('kernel.modules_disabled')) {
    map.set('kernel.modules_disabled', { value: '0' });
  }
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

/** The key of ours that an assignment spoils; null when it does no harm. */
function spoils({ key, value }: Assignment, settingsNeeded: ReadonlyMap<string, RequiredSysctl>): string | null {
  for (const [ours, wanted] of settingsNeeded) if (matches(key, ours) && !isGoodValue(wanted, value)) return ours;
  const forwards = settingsNeeded.get('net.ipv4.ip_forward')?.value === '1';
  return forwards && /^net\.ipv4\.conf\..+\.forwarding$/.test(key) && value === '0' ? key : null;
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
  inspects: `Files of systemd-sysctl, \`sysctl --system\` and ufw that take back a setting of ${SYSCTL_FILE} or switch off the loading of modules, on hosts whose phases require settings or modules ([phases.md](phases.md)). A file that sorts before ours is no problem.`,
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
    args: (of) => {
      const keys = [...settings(of, false).keys()];
      return keys.length > 0 ? [keys.join(' ')] : null;
    },
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
      const wanted = settingsNeeded.get(spoilt)?.value ?? '1';
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
