import { placeOf, serverUrl } from '../../../../contracts/registries.ts';
import { runsPods } from '../../placement.ts';
import { defineCheck, type Problem } from '../check.ts';

type Code = 'REGISTRY_UNREACHABLE' | 'REGISTRY_LOGIN_REFUSED';

/** Seconds: a registry behind a slow link answers in less. */
const MOST_SECONDS = 8;

export default defineCheck({
  name: 'registries',
  about: 'network',
  title: 'Registries of others',
  inspects:
    'A request to each server of `spec.registries` that has no mirrors, and to each mirror, with its authorities, client certificate and login, on control planes and workers. Not with `spec.proxy`, through which the runtime would reach them.',
  codes: ['REGISTRY_UNREACHABLE', 'REGISTRY_LOGIN_REFUSED'],
  probe: {
    script: `
headers() { tr -d '\\r' | sed -n "s/^$1: *//p" | head -n 1; }
field() { printf '%s' "$challenge" | sed -n "s/.*$1=\\"\\([^\\"]*\\)\\".*/\\1/p"; }
# ask PLACE NUMBER LOGIN URL
ask() {
  got=$(curl_registry "$2" -sS -m ${MOST_SECONDS} -o /dev/null -D - "$4/v2/" 2>&1)
  status=$(printf '%s\\n' "$got" | sed -n 's|^HTTP/[0-9.]* \\([0-9]*\\).*|\\1|p' | tail -n 1)
  [ -n "$status" ] || { say dead "$1" "$4" "$(printf '%s' "$got" | head -n 1)"; return; }
  [ -n "$3" ] || return
  challenge=$(printf '%s\\n' "$got" | headers '[Ww][Ww][Ww]-[Aa]uthenticate')
  case $status:$challenge in
    401:[Bb]earer*)
      realm=$(field realm)
      case $realm in https://*) ;; *) return ;; esac
      status=$(curl_registry "$2" -sS -m ${MOST_SECONDS} -o /dev/null -w '%{http_code}' -G --data-urlencode "service=$(field service)" "$realm" 2>&1)
      case $status in 401 | 403) say refused "$1" "$realm" "$status" ;; esac ;;
    401:* | 403:*) say refused "$1" "$4" "$status" ;;
  esac
}
while [ $# -gt 3 ]; do
  ask "$1" "$2" "$3" "$4" &
  shift 4
done
wait`,
    args: ({ cluster, host }) => {
      const registries = cluster.spec.registries ?? [];
      if (registries.length === 0 || cluster.spec.proxy !== undefined || !runsPods(host)) return null;
      const numberOf = (place: string) => registries.findIndex((each) => each.host === place);
      // With mirrors the registry itself may be out of reach: nodes without a way to the Internet.
      const own = registries.flatMap((each, index) =>
        each.mirrors && !each.credential && !each.clientCertificate
          ? []
          : [[`spec.registries[${index}]`, String(index), each.credential ? 'yes' : '', serverUrl(each)]],
      );
      const mirrors = registries.flatMap(({ mirrors: urls = [] }, index) =>
        urls
          .filter((url) => numberOf(placeOf(url)) < 0)
          .map((url, at) => [`spec.registries[${index}].mirrors[${at}]`, '-', '', new URL(url).origin]),
      );
      return [...own, ...mirrors].flat();
    },
  },
  evaluate: (_of, rows) =>
    rows
      // They were asked side by side: in whatever order they answered, a dry run reports what the build does.
      .toSorted(([, a = ''], [, b = '']) => (a < b ? -1 : 1))
      .flatMap(([kind, place = '', url = '', answer = '']): Problem<Code>[] => {
        if (kind === 'dead') {
          const message = `the registry ${url} (${place}) cannot be reached`;
          return [{ code: 'REGISTRY_UNREACHABLE', message, evidence: `${url}/v2/: ${answer}` }];
        }
        if (kind !== 'refused') return [];
        const message = `${url} refuses the login of ${place}`;
        return [{ code: 'REGISTRY_LOGIN_REFUSED', message, evidence: `${url}: HTTP ${answer}` }];
      }),
});
