import { requiredFeatures } from '../../required.ts';
import type { RequiredFeature } from '../../requires.ts';
import { defineCheck } from '../check.ts';

/** A feature as one word of the probe's arguments: name, symbol, sign, type of interface; `-` where there is none. */
const wordOf = ({ name, symbol = '-', sign = '-', linkType = '-' }: RequiredFeature): string =>
  [name, symbol, sign, linkType.replaceAll(' ', '+')].join(',');

export default defineCheck({
  name: 'kernel-features',
  about: 'kernel',
  title: 'Kernel features',
  inspects:
    'Kernel features that the phases of the host require ([phases.md](phases.md)), by the options of the spec: loaded, built in (/proc, modules.builtin, /proc/kallsyms) or loadable (`modprobe -n`).',
  codes: ['KERNEL_FEATURE_MISSING'],
  probe: {
    // For interface types that leave no other trace the kernel makes one in a network namespace that ends with the
    // command: containers do not see the modules that the kernel would load for them, and the host's network stays as it is.
    script: `
loaded=' '
[ ! -r /proc/modules ] || while read -r name _; do loaded="$loaded$name "; done </proc/modules
tree=/lib/modules/$(uname -r)
unknown=
for feature; do
  name=\${feature%%,*} rest=\${feature#*,} symbol=\${rest%%,*} sign=\${rest#*,} sign=\${sign%%,*}
  found=
  case $loaded in *" $name "*) found=loaded ;; esac
  [ -n "$found" ] || [ "$sign" = - ] || [ ! -e "$sign" ] || found=$sign
  [ -n "$found" ] || [ ! -d "/sys/module/$name" ] || found="/sys/module/$name"
  [ -n "$found" ] || ! grep -qsw -- "$name" /proc/filesystems || found=/proc/filesystems
  [ -n "$found" ] || ! grep -qs -- "/$name[.]ko" "$tree/modules.builtin" || found=modules.builtin
  [ -n "$found" ] || ! modprobe -n -q -- "$name" 2>/dev/null || found=loadable
  if [ -n "$found" ]; then say "$name" "$found"; else unknown="$unknown $feature"; fi
done
[ -n "$unknown" ] || return 0
pattern=
for feature in $unknown; do
  rest=\${feature#*,} symbol=\${rest%%,*}
  [ "$symbol" = - ] || pattern="$pattern|$symbol"
done
symbols=
[ -z "$pattern" ] || symbols=" $(grep -owE -- "\${pattern#|}" /proc/kallsyms 2>/dev/null | sort -u | tr '\\n' ' ')"
for feature in $unknown; do
  name=\${feature%%,*} rest=\${feature#*,} symbol=\${rest%%,*} type=\${feature##*,}
  case $symbols in
    *" $symbol "*) say "$name" "/proc/kallsyms $symbol" ;;
    *)
      if [ "$type" != - ] && unshare -n ip link add kwprobe type $(printf %s "$type" | tr + ' ') 2>/dev/null; then
        say "$name" "the kernel made an interface"
      fi
      ;;
  esac
done`,
    args: ({ requirements }) => {
      const features = requiredFeatures(requirements);
      return features.length > 0 ? features.map(wordOf) : null;
    },
  },
  evaluate({ requirements, facts }, rows) {
    const found = new Set(rows.map(([name]) => name));
    return requiredFeatures(requirements)
      .filter(({ name }) => !found.has(name))
      .map(({ name, symbol, reason }) => ({
        code: 'KERNEL_FEATURE_MISSING' as const,
        message: `the kernel has no ${name}, wanted for: ${reason}`,
        evidence: `Linux ${facts.kernel}: ${name} is neither loaded nor built in (/proc/modules, /sys/module, modules.builtin${symbol === undefined ? '' : `, symbol ${symbol}`}) nor loadable (modprobe -n)`,
      }));
  },
});
