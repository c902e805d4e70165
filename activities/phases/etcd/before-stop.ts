import { quote, quoteArgv } from '../../host/quote.ts';
import { ETCD_FIELD } from '../../kube/etcd-state.ts';
import { shCode } from '../../resources/sh-code.ts';
import { type EtcdSite, etcdCurl, etcdctl } from './observe.ts';

/** How long the other members may take to be healthy and caught up before this one is stopped, seconds. */
const WAIT_S = 30;

/**
 * sh that runs before the member of this host is stopped or restarted. A leader hands over to a member that votes, is in touch
 * with a majority and has all that this one had when it was asked: clients then wait for a message, not for an election.
 * Where no other member can take over it stops all the same: a repair may be what they wait for.
 *
 * `window`: the cluster serves, and this is a change that can wait. Then it fails with ETCD_UNHEALTHY where those who stay are no
 * majority, unless hosts that are out account for that.
 */
export function beforeStop(site: EtcdSite, window: { excluded: readonly string[] } | undefined): string {
  const { self, others, tls } = site;
  if (others.length === 0) return '';
  const out = window ? others.filter(({ name }) => window.excluded.includes(name)) : [];
  return `set +eu
self=${quote(self.clientUrl)} name=${quote(self.name)} waits=${window ? 'yes' : 'no'} out=${quote(out.map(({ clientUrl }) => clientUrl).join(' '))}
ask() { ${quoteArgv(etcdCurl(tls))} "$@"; }
ctl() { ${quoteArgv(etcdctl([self.clientUrl], tls))} "$@" 2>&1; }
${ETCD_FIELD}
${LEAVE.replace('@WAIT@', String(WAIT_S))}`;
}

/** A line of a member in `answers`: `<well: 1 or 0> <applied index> <id> <name> <client URL>`. */
const LEAVE = `own=$(ask -d '{}' "$self/v3/maintenance/status")
leader=$(etcd_field "$own" leader) id=$(etcd_field "$own" member_id) least=$(etcd_field "$own" raftAppliedIndex)
case $leader in '' | 0) echo "etcd on $name sees no leader: nothing to hand over"; exit 0 ;; esac
deadline=$(($(date +%s) + @WAIT@))
while :; do
  list=$(ctl member list)
  voters=$(printf '%s\\n' "$list" | grep -E '^[0-9a-f]+, .*, false$')
  answers=$(printf '%s\\n' "$voters" | {
    while IFS= read -r line; do
      member=\${line%%, *} rest=\${line#*, *, } url=\${line%, *} url=\${url##*, } url=\${url%%,*}
      [ -n "$line" ] && [ "$url" != "$self" ] || continue
      {
        said=$(ask -d '{}' "$url/v3/maintenance/status") well=0
        case $(ask "$url/health") in *'"health":"true"'*) well=1 ;; esac
        [ "$(etcd_field "$said" leader)" = "$leader" ] || well=0
        applied=$(etcd_field "$said" raftAppliedIndex)
        printf '%s %s %s %s %s\\n' "$well" "\${applied:-0}" "$member" "\${rest%%, *}" "$url"
      } &
    done
    wait
  })
  size=$(printf '%s\\n' "$voters" | grep -c .) well=$(printf '%s\\n' "$answers" | grep -c '^1 ')
  missing=
  [ "$well" -ge $((size / 2 + 1)) ] || while read -r up _ _ other url; do
    [ -n "$url" ] && [ "$up" = 0 ] || continue
    case " $out " in *" $url "*) ;; *) missing="$missing $other" ;; esac
  done <<MEMBERS
$answers
MEMBERS
  next=$(printf '%s\\n' "$answers" | sort -k 2,2nr | while read -r up applied member other _; do
    [ "$up" = 1 ] && [ "$applied" -ge "$least" ] && { echo "$member $other"; break; }
  done)
  if [ -z "$missing" ] || [ "$waits" = no ]; then
    [ "$leader" = "$id" ] || exit 0
    if [ -n "$next" ]; then
      said=$(ctl move-leader "\${next% *}")
      now=$(etcd_field "$(ask -d '{}' "$self/v3/maintenance/status")" leader)
      case $now in '' | 0 | "$id") ;; *) echo "etcd leadership moved from $name to \${next#* }"; exit 0 ;; esac
    fi
  fi
  [ "$(date +%s)" -lt "$deadline" ] || break
  sleep 0.3
done
if [ -n "$missing" ] && [ "$waits" = yes ]; then
  kw_fail ${shCode('ETCD_UNHEALTHY')} "etcd on $name is not restarted: $well of $size members would be healthy without it, a majority is $((size / 2 + 1))"
  echo "not healthy:$missing"
  printf '%s\\n' "$answers"
  exit 1
fi
echo "etcd on $name is the leader, and no other member can take over: \${said:-$answers}"
exit 0`;
