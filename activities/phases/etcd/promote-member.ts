import { quoteArgv } from '../../host/quote.ts';
import type { RemoteHost } from '../../host/types.ts';
import { STATE_DIR } from '../../resources/paths.ts';
import { type EtcdSite, etcdctl, MEMBER_STAMP } from './observe.ts';

/** What became of a member that was started. */
export interface Promotion {
  /** What was done, in words; empty when nothing had to be. */
  readonly did: string[];
  /** Why it is not a full member yet; null when it is. */
  readonly missing: string | null;
}

/** How long a member may take to find a majority, or a learner to catch up with it, seconds. */
const SETTLE_S = 90;

/**
 * Waits until the cluster lists this host's member with a vote, at its present address. A learner is promoted as soon as
 * etcd finds it in sync; the address is corrected when the host has another one than before. What the member is known by
 * is kept on the host, for the day when it does not answer any more. One round trip.
 */
export async function promoteMember(host: RemoteHost, site: EtcdSite): Promise<Promotion> {
  const { self, others, tls, dataDir } = site;
  // Learners refuse to list members: the others are asked. A single member has no others.
  const urls = (others.length === 0 ? [self] : others).map(({ clientUrl }) => clientUrl);
  const status = quoteArgv(etcdctl([self.clientUrl], tls, 'endpoint', 'status'));
  const member = quoteArgv(etcdctl(urls, tls, 'member'));
  const { stdout } = await host.script(
    `status() { ${status}; }\nmember() { ${member} "$@"; }\n${SETTLE}`,
    [String(SETTLE_S), self.peerUrl, `${dataDir}/member/wal`, STATE_DIR, MEMBER_STAMP],
    { timeoutMs: (SETTLE_S + 30) * 1000 },
  );
  const lines = stdout.trimEnd().split('\n');
  const last = lines.pop() ?? '';
  return { did: lines.filter((line) => line !== ''), missing: last === 'settled' ? null : last };
}

/** Prints what it did, a line each, then `settled` or what is still missing. */
const SETTLE = `
deadline=$(($(date +%s) + $1)) url=$2 wal=$3 dir=$4 stamp=$5
last() { says=$(printf '%s' "$1" | tail -n 1); }
try() {
  own=$(status 2>&1) || { last "$own"; return 0; }
  id=\${own#*, } id=\${id%%, *}
  list=$(member list 2>&1) || { last "$list"; return 0; }
  line=$(printf '%s\\n' "$list" | grep "^$id, ") || { says="the cluster does not list $id"; return 0; }
  rest=\${line#*, } rest=\${rest#*, } rest=\${rest#*, }
  if [ "\${rest%%, *}" != "$url" ]; then
    said=$(member update "$id" --peer-urls="$url" 2>&1) || { last "$said"; return 0; }
    echo "$id: address \${rest%%, *} -> $url"
  fi
  case $line in
    *', true')
      said=$(member promote "$id" 2>&1) || { last "$said"; return 0; }
      echo "$id: has a vote now"
      ;;
  esac
  mkdir -p -m 0700 -- "$dir"
  printf '%s %s\\n' "$(stat -c %i -- "$wal")" "$id" >"$stamp.new"
  mv -f -T -- "$stamp.new" "$stamp"
  says=settled
}
try
until [ "$says" = settled ] || [ "$(date +%s)" -ge "$deadline" ]; do
  sleep 0.2
  try
done
printf '%s\\n' "$says"
`;
