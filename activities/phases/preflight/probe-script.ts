/**
 * Everything that preflight wants to know of a host, in one round trip and without changing anything. Prints lines of
 * tab-separated words; `report.ts` reads them. Arguments: 1 ports, 2 folders, 3 peers (address:port), 4 kernel features
 * (`name,symbol,sign,link type`, `-` for none), 5 our own internal address, 6 the mirror's manifest or empty.
 *
 * A kernel feature counts when it is loaded, built in (its sign under /proc, its name in modules.builtin, or one of its
 * symbols in /proc/kallsyms) or loadable (modprobe -n). For interface types that leave no other trace the kernel is
 * asked for one in a network namespace that ends with the question: containers cannot see the modules that the kernel
 * would load for them, and nothing of the host's own network is touched.
 */
export const PROBE_SCRIPT = `
export LC_ALL=C
ports=$1 folders=$2 peers=$3 features=$4 own=$5 mirror=$6
# One write per line: several of them come from the background at once.
say() { (IFS='\t'; printf '%s\\n' "$*"); }

say clock "$(date +%s%N)"

for peer in $peers; do
  address=\${peer%:*} port=\${peer##*:}
  { ping -n -q -c 1 -W 2 "$address" >/dev/null 2>&1 && say peer "$peer" ping || :; } &
  {
    answer=$(timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$address" "$port" 2>&1) && answer=open
    case $answer in
      open) say peer "$peer" open ;;
      *refused*) say peer "$peer" refused ;;
    esac
  } &
done
if [ -n "$mirror" ] && command -v curl >/dev/null; then
  {
    answer=$(curl -sS -f -o /dev/null -m 4 -r 0-0 -- "$mirror" 2>&1) && answer=ok
    say mirror "$answer"
  } &
fi

for folder in $folders; do
  there=$folder
  while [ ! -d "$there" ]; do there=\${there%/*}; [ -n "$there" ] || there=/; done
  df -P -k -- "$there" | { read -r _; read -r fs _ _ free _ on; say disk "$folder" "$free" "$on" "$fs"; }
done

ip -o -4 addr show 2>/dev/null | while read -r _ _ _ address _; do say address "\${address%/*}"; done
case $own in
  *[!0-9.]*) getent ahostsv4 "$own" 2>/dev/null | { read -r address _ && say resolved "$address" || :; } ;;
esac

if command -v ss >/dev/null; then
  ss -H -l -t -n -p 2>/dev/null | while read -r _ _ _ local _ process; do
    port=\${local##*:}
    case " $ports " in *" $port "*) ;; *) continue ;; esac
    name=\${process#*'(("'} name=\${name%%'"'*}
    pid=\${process#*pid=} pid=\${pid%%[!0-9]*}
    exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || exe='?'
    say port "$port" "$local" "\${pid:-?}" "\${name:-?}" "$exe"
  done
fi

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  say controllers "$(cat /sys/fs/cgroup/cgroup.controllers)"
else
  say controllers "$(while read -r name _ _ on; do [ "$on" != 1 ] || printf '%s ' "$name"; done </proc/cgroups)"
fi

loaded=' '
[ ! -r /proc/modules ] || while read -r name _; do loaded="$loaded$name "; done </proc/modules
tree=/lib/modules/$(uname -r)
unknown=
for feature in $features; do
  name=\${feature%%,*} rest=\${feature#*,} symbol=\${rest%%,*} sign=\${rest#*,} sign=\${sign%%,*}
  found=
  case $loaded in *" $name "*) found=loaded ;; esac
  [ -n "$found" ] || [ "$sign" = - ] || [ ! -e "$sign" ] || found=$sign
  [ -n "$found" ] || [ ! -d "/sys/module/$name" ] || found="/sys/module/$name"
  [ -n "$found" ] || ! grep -qsw -- "$name" /proc/filesystems || found=/proc/filesystems
  [ -n "$found" ] || ! grep -qs -- "/$name[.]ko" "$tree/modules.builtin" || found=modules.builtin
  [ -n "$found" ] || ! modprobe -n -q -- "$name" 2>/dev/null || found=loadable
  if [ -n "$found" ]; then say feature "$name" "$found"; else unknown="$unknown $feature"; fi
done
if [ -n "$unknown" ]; then
  pattern=
  for feature in $unknown; do rest=\${feature#*,}; pattern="$pattern|\${rest%%,*}"; done
  symbols=" $(grep -owE -- "\${pattern#|}" /proc/kallsyms 2>/dev/null | sort -u | tr '\\n' ' ')"
  for feature in $unknown; do
    name=\${feature%%,*} rest=\${feature#*,} symbol=\${rest%%,*} type=\${feature##*,}
    case $symbols in
      *" $symbol "*) say feature "$name" "/proc/kallsyms $symbol" ;;
      *)
        if [ "$type" != - ] && unshare -n ip link add kwprobe type $(printf %s "$type" | tr + ' ') 2>/dev/null; then
          say feature "$name" "the kernel made an interface"
        else
          say feature "$name" -
        fi
        ;;
    esac
  done
fi
wait
say end
`;
