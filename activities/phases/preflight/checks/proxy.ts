import { FAMILIES, packageNames } from '../../../host/family/families.ts';
import type { Family } from '../../../host/family/family.ts';
import { allPackages } from '../../required.ts';
import { defineCheck } from '../check.ts';

/** The word before the names of the packages of a family among the arguments; before those of the first one there is none. */
const wordOf = ({ packageTool }: Family): string => `--${packageTool.name}`;
const FIRST = FAMILIES[0]!;
const TOOLS = FAMILIES.map(({ packageTool }) => packageTool);

/** sh that prints those of the packages in $kw_names that are not installed, of the first family whose database is there. */
const MISSING = TOOLS.map(
  ({ name, database, isInstalled }, index) => `  ${index === 0 ? 'if' : 'elif'} command -v ${database} >/dev/null; then
    part=--${FIRST.packageTool.name}
    for word; do
      case $word in
        --*) part=$word ;;
        *) [ "$part" != --${name} ] || (set -- "$word"; ${isInstalled}) || echo "$word" ;;
      esac
    done`,
).join('\n');

export default defineCheck({
  name: 'proxy',
  about: 'network',
  title: 'Proxies',
  inspects:
    'A TCP connection to the addresses of `spec.proxy` within 5 s, on every host. Without `spec.proxy`: to the proxies in the settings of apt and dnf, when packages are missing that need them.',
  codes: ['PROXY_UNREACHABLE'],
  probe: {
    script: `
command -v bash >/dev/null || return 0
# reach PLACE URL: says a proxy that takes no connection
reach() {
  hostport=\${2#*://} hostport=\${hostport%%/*}
  hostport=\${hostport##*@}
  case $hostport in *:*) ;; *) return ;; esac
  said=$(timeout 5 bash -c '
    exec 2>&1
    : <>"/dev/tcp/$1/$2"' bash "\${hostport%:*}" "\${hostport##*:}" </dev/null)
  code=$?
  [ "$code" != 0 ] || return
  [ "$code" != 124 ] || said='no answer within 5 s'
  say "$1" "$hostport" "$(printf '%s' "$said" | head -n 1 | sed 's/^bash: //; s/^line [0-9]*: //; s/^connect: //')"
}
missing() {
${MISSING}
  fi
}
http=$1 https=$2
shift 2
if [ -n "$http$https" ]; then
  [ -z "$http" ] || reach spec.proxy.http "$http" &
  [ -z "$https" ] || [ "$https" = "$http" ] || reach spec.proxy.https "$https" &
  wait
  return
fi
{
  ${TOOLS.map(({ proxySettings }) => proxySettings).join('\n  ')}
} 2>/dev/null | head -n 8 | {
  while IFS= read -r line; do
    url=$(printf '%s' "\${line#*:*:}" | grep -Eo '[a-z0-9]+://[^" ;]+' | head -n 1)
    reach "$(printf '%s' "$line" | cut -d : -f 1,2)" "$url" &
  done
  wait
} | {
  dead=$(cat)
  [ -n "$dead" ] || return
  wanted=$(missing "$@" | tr '\\n' ' ')
  [ -z "$wanted" ] || printf '%s\\n%s\\n' "$dead" "$(say packages "$wanted")"
}`,
    args: ({ cluster, requirements }) => {
      const { http = '', https = '' } = cluster.spec.proxy ?? {};
      const names = allPackages(requirements);
      const lists = FAMILIES.flatMap((family) => [
        ...(family === FIRST ? [] : [wordOf(family)]),
        ...packageNames(family, names).sort(),
      ]);
      return [http, https, ...lists];
    },
  },
  evaluate({ cluster }, rows) {
    const { proxy } = cluster.spec;
    const packages = rows.find(([what]) => what === 'packages')?.[1]?.trim();
    return (
      rows
        .filter(([what]) => what !== 'packages')
        // They were asked side by side: in whatever order they answered, a dry run says what the build says.
        .toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1))
        .map(([place = '', where = '', problemText = '']) => {
          if (!place.startsWith('/')) {
            const both = proxy?.http === proxy?.https && proxy?.https !== undefined ? ', spec.proxy.https' : '';
            return {
              code: 'PROXY_UNREACHABLE' as const,
              message: `the proxy ${where} (${place}${both}) does not answer`,
              evidence: `${place}${both} ${where}: ${problemText}`,
            };
          }
          const [, file = place, line = '?'] = /^(.*):(\d+)$/.exec(place) ?? [];
          const whose = TOOLS.find(({ settings }) => settings.some((path) => file.startsWith(path)))?.name ?? '';
          return {
            code: 'PROXY_UNREACHABLE' as const,
            message: `the proxy ${where} of ${whose}, set in ${file} line ${line}, does not answer`,
            evidence: `${place} ${where}: ${problemText}; packages to be installed: ${packages ?? ''}`.trim(),
          };
        })
    );
  },
});
