import { requiredPackages } from '../../required.ts';
import { defineCheck } from '../check.ts';

/** sh word that parts the packages of apt from those of dnf among the arguments. */
const APART = '--dnf';

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
  if command -v dpkg-query >/dev/null; then
    while [ $# -gt 0 ] && [ "$1" != ${APART} ]; do
      [ "$(dpkg-query -W -f '\${db:Status-Status}' -- "$1" 2>/dev/null)" = installed ] || echo "$1"
      shift
    done
  elif command -v rpm >/dev/null; then
    while [ "$1" != ${APART} ]; do shift; done
    shift
    for package; do rpm -q -- "$package" >/dev/null 2>&1 || echo "$package"; done
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
  for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
    case \${file##*/} in *.conf | apt.conf) ;; *.*) continue ;; esac
    [ ! -f "$file" ] || grep -EHn '^[^#]*Proxy[^"]*"[a-z0-9]+://[^"]+"' "$file" | grep -Ev '^[^:]*:[0-9]*: *//'
  done
  for file in /etc/dnf/dnf.conf /etc/yum.conf /etc/yum.repos.d/*.repo; do
    [ ! -f "$file" ] || [ -h "$file" ] || grep -EHn '^ *proxy *= *[a-z0-9]+://' "$file"
  done
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
      const { apt, dnf } = requiredPackages(requirements);
      return [http, https, ...apt, APART, ...dnf];
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
          const whose = file.startsWith('/etc/apt/') ? 'apt' : 'dnf';
          return {
            code: 'PROXY_UNREACHABLE' as const,
            message: `the proxy ${where} of ${whose}, set in ${file} line ${line}, does not answer`,
            evidence: `${place} ${where}: ${problemText}; packages to be installed: ${packages ?? ''}`.trim(),
          };
        })
    );
  },
});
