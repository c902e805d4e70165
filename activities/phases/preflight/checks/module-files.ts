import { requiredModules } from '../../required.ts';
import { defineCheck } from '../check.ts';

export default defineCheck({
  name: 'module-files',
  about: 'kernel',
  title: 'Kernel modules that are kept from loading',
  inspects:
    '`blacklist` and `install NAME /bin/true` in modprobe.d, `module_blacklist` on the command line of the kernel and `kernel.modules_disabled`, for modules that the phases of the host require ([phases.md](phases.md)) and that are not built in.',
  codes: ['KERNEL_MODULE_BLOCKED'],
  probe: {
    script: `
names=$(printf '%s|' "$@" | sed 's/|$//; s/_/[-_]/g')
builtin=/lib/modules/$(uname -r)/modules.builtin
grep -sHnE "^[[:space:]]*(blacklist|install)[[:space:]]+($names)([[:space:]]|$)" \\
  /etc/modprobe.d/*.conf /run/modprobe.d/*.conf /usr/local/lib/modprobe.d/*.conf /usr/lib/modprobe.d/*.conf |
  head -n 50 | while IFS= read -r found; do
    file=\${found%%:*} found=\${found#*:} line=\${found%%:*} text=\${found#*:}
    set -f; set -- $text; set +f
    # Such a command loads the module after all.
    case $1/$text in install/*modprobe*) continue ;; esac
    ! grep -qsE "/$(printf %s "$2" | sed 's/[-_]/[-_]/g')[.]ko" "$builtin" || continue
    say file "$file" "$line" "$text"
  done
read -r line </proc/cmdline 2>/dev/null || line=
for word in $line; do
  case $word in
    module_blacklist=* | modprobe.blacklist=* | rd.driver.blacklist=*)
      for name in $(printf %s "\${word#*=}" | tr , ' '); do
        printf '%s\\n' "$name" | grep -qxE "$names" && say cmdline "$word"
      done ;;
  esac
done
read -r off 2>/dev/null </proc/sys/kernel/modules_disabled && [ "$off" = 1 ] || return 0
for name; do
  [ -d "/sys/module/$name" ] || grep -qs "^$name " /proc/modules || grep -qs "/$name[.]ko" "$builtin" || say disabled "$name"
done`,
    args: ({ requirements }) => {
      const modules = requiredModules(requirements);
      return modules.length > 0 ? modules : null;
    },
  },
  evaluate(_of, rows) {
    const problem = (message: string, evidence: string) => ({
      code: 'KERNEL_MODULE_BLOCKED' as const,
      message,
      evidence,
    });
    const off = rows.flatMap(([word, name = '']) => (word === 'disabled' ? [name] : []));
    return [
      ...rows.flatMap(([word, file = '', line = '', text = '']) => {
        if (word === 'file') {
          return [
            problem(`${file} keeps a kernel module from loading: ${text.trim()}`, `${file}, line ${line}: ${text}`),
          ];
        }
        if (word === 'cmdline') {
          return [problem('the command line of the kernel keeps a module from loading', `/proc/cmdline: ${file}`)];
        }
        return [];
      }),
      ...(off.length > 0
        ? [
            problem(
              'the kernel loads no modules any more until the next boot',
              `kernel.modules_disabled = 1, and these are neither loaded nor built in: ${off.join(', ')}`,
            ),
          ]
        : []),
    ];
  },
});
