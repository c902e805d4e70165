import type { RequiredVirtualAddress } from '../../requires.ts';
import { type CheckHost, defineCheck } from '../check.ts';

const addressOf = ({ requirements }: CheckHost): RequiredVirtualAddress | undefined =>
  requirements.flatMap(({ virtualAddresses = [] }) => virtualAddresses)[0];

/** Three advertisements of the default interval of 1 s, which a router may be late with. */
const LISTEN_SECONDS = 4;

/** Prints `<source> <version> <router id> <priority> <address>...` for each advertisement, once. */
const PERL = `
use strict; use Socket; use Time::HiRes qw(time);
my ($own, $seconds) = @ARGV;
socket(my $s, PF_INET, SOCK_RAW, 112) or exit 1;
setsockopt($s, 0, 35, inet_aton("224.0.0.18") . inet_aton($own)) or exit 1;
my ($end, %seen) = (time + $seconds);
while ((my $left = $end - time) > 0) {
  my $bits = ""; vec($bits, fileno($s), 1) = 1;
  select($bits, undef, undef, $left) or last;
  defined recv($s, my $p, 4096, 0) or last;
  my $head = (ord($p) & 15) * 4;
  next if length($p) < $head + 8;
  my ($kind, $id, $priority, $count) = unpack("C4", substr($p, $head));
  my @addresses = map { inet_ntoa(substr($p, $head + 8 + 4 * $_, 4)) } grep { length($p) >= $head + 12 + 4 * $_ } 0 .. ($count > 8 ? 7 : $count - 1);
  my $line = join " ", inet_ntoa(substr($p, 12, 4)), $kind >> 4, $id, $priority, @addresses;
  print "$line\\n" unless $seen{$line}++;
  last if keys %seen > 64;
}
`;
const PYTHON = `
import socket, sys, time
own, seconds = sys.argv[1], float(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.18") + socket.inet_aton(own))
end, seen = time.time() + seconds, set()
while len(seen) < 64:
  left = end - time.time()
  if left <= 0: break
  s.settimeout(left)
  try: p = s.recv(4096)
  except socket.timeout: break
  h = (p[0] & 15) * 4
  if len(p) < h + 8: continue
  a = [socket.inet_ntoa(p[i:i + 4]) for i in range(h + 8, min(len(p) - 3, h + 8 + 4 * min(p[h + 3], 8)), 4)]
  line = " ".join([socket.inet_ntoa(p[12:16]), str(p[h] >> 4), str(p[h + 1]), str(p[h + 2])] + a)
  if line not in seen:
    seen.add(line)
    print(line)
`;

export default defineCheck({
  name: 'router-id',
  about: 'network',
  title: 'VRRP router id',
  inspects: `VRRP advertisements to 224.0.0.18 during ${LISTEN_SECONDS} s, on load balancers that do not share the virtual address yet: none from another machine has the router id. perl or python3 of the distribution listens; without either this is not checked.`,
  codes: ['VRID_IN_USE'],
  probe: {
    // perl is an essential package of Debian and Ubuntu; dnf is written in Python.
    script: `
address=$1 config=$2 unit=$3
if grep -qsx '# Written by Kubewright.' "$config" && grep -qsF " $address/" "$config" && systemctl is-active --quiet "$unit" 2>/dev/null; then return 0; fi
route=$(ip -4 route get "$address" 2>/dev/null | head -n 1)
case $route in '' | *' via '* | local*) return 0 ;; esac
own=\${route#* src } own=\${own%% *}
heard=
if command -v perl >/dev/null; then heard=$(timeout 10 perl -e "$4" "$own" ${LISTEN_SECONDS} 2>/dev/null)
else
  for python in python3 /usr/libexec/platform-python; do
    command -v $python >/dev/null || continue
    heard=$(timeout 10 $python -c "$5" "$own" ${LISTEN_SECONDS} 2>/dev/null)
    break
  done
fi
printf '%s\\n' "$heard" | while read -r source rest; do
  [ -n "$source" ] || continue
  (exec 3<>"/dev/udp/$source/9" && echo >&3) 2>/dev/null || timeout 2 bash -c 'exec 3<>"/dev/udp/$1/9" && echo >&3' asks "$source" 2>/dev/null
  sleep 0.1
  say heard "$source" "$(ip -4 neigh show to "$source" | sed -n 's/.*lladdr \\([0-9a-f:]*\\).*/\\1/p' | head -n 1)" $rest
done`,
    args(of) {
      const wanted = addressOf(of);
      return wanted ? [wanted.address, wanted.config, wanted.unit, PERL, PYTHON] : null;
    },
  },
  evaluate(of, rows) {
    const wanted = addressOf(of);
    if (!wanted) return [];
    const heard = rows.flatMap(([word, source = '', mac = '', version = '', id = '', priority = '', ...addresses]) =>
      word === 'heard' && !wanted.holders.includes(source) ? [{ source, mac, version, id, priority, addresses }] : [],
    );
    const same = heard.find(({ id }) => id === String(wanted.routerId));
    if (!same) return [];
    const { source, mac, version, priority, addresses } = same;
    const ids = [...new Set(heard.map(({ id }) => id))].sort((a, b) => Number(a) - Number(b));
    return [
      {
        code: 'VRID_IN_USE' as const,
        message: `the VRRP router id ${wanted.routerId} of ${wanted.what} is in use: ${source} advertises it`,
        evidence: `224.0.0.18: ${source}${mac === '' ? '' : ` (${mac})`}, VRRPv${version}, router id ${wanted.routerId}, priority ${priority}, for ${addresses.join(', ') || 'no address'}; router ids heard: ${ids.join(', ')}`,
      },
    ];
  },
});
