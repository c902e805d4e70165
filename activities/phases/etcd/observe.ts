import { CURL_WORDS } from '../../host/direct.ts';
import { quoteArgv } from '../../host/quote.ts';
import { BIN_DIR } from '../../kube/paths.ts';
import { STATE_DIR } from '../../resources/paths.ts';
import { Unknown } from '../../resources/unknown.ts';
import { type EtcdMember, type EtcdPeer, parseMemberList } from './members.ts';

/** Files by which etcd's clients on a host prove who they are. */
export interface EtcdTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** A member-to-be and what is around it. */
export interface EtcdSite {
  readonly self: EtcdPeer;
  /** The other etcd hosts of the spec. */
  readonly others: readonly EtcdPeer[];
  readonly dataDir: string;
  /** The file that says how a member without data begins. */
  readonly bootstrapFile: string;
  readonly tls: EtcdTls;
}

/** What can be seen from the host, without changing anything. */
export interface EtcdView {
  /**
   * The data of a member, how it began (with the founders' token, or by joining), and its id where that is known.
   * Null: no data.
   */
  readonly data: { readonly founded: boolean; readonly token: string; readonly id: string | null } | null;
  /** The member on this host answers and is in touch with a majority. */
  readonly running: boolean;
  /** Client URLs of the others that are in touch with a majority. */
  readonly healthy: ReadonlySet<string>;
  /** False where the tools to ask with are not there yet. */
  readonly othersQueried: boolean;
  /** What the cluster says of itself through the others; null when no majority answers. */
  readonly members: readonly EtcdMember[] | null;
}

/** Which member the data on a host is: inode of its log's folder, and id. Written once it is a full member. */
export const MEMBER_STAMP = `${STATE_DIR}/etcd-member`;

const CTL = `${BIN_DIR}/etcdctl`;

/** argv of an etcdctl call through these members. */
export function etcdctl(urls: readonly string[], tls: EtcdTls, ...args: readonly string[]): string[] {
  const { ca, cert, key } = tls;
  const access = ['--endpoints', urls.join(','), '--cacert', ca, '--cert', cert, '--key', key];
  return [CTL, ...access, '--command-timeout', '5s', ...args];
}

/** argv of a curl that etcd lets in, 2 s at most. */
export const etcdCurl = ({ ca, cert, key }: EtcdTls): string[] => [
  ...CURL_WORDS,
  ...['-s', '-m', '2', '--cacert', ca, '--cert', cert, '--key', key],
];

/**
 * Reads an `EtcdView`. A member that is well is one question to itself; otherwise all others are asked at once, and the
 * list of members counts only when it was agreed upon by a majority (etcdctl reads it linearizably). A folder that cannot
 * be read, and healthy members that do not list themselves, are `unknown` and why; the last line is `end`.
 */
export function observeScript(site: EtcdSite, quote: (word: string) => string): string {
  const { self, others, dataDir, bootstrapFile, tls } = site;
  const curl = quoteArgv(etcdCurl(tls));
  const urls = others.map(({ clientUrl }) => clientUrl);
  return `set +eu
export LC_ALL=C
finish() { echo end; exit 0; }
unknown() { printf 'unknown %s\\n' "$(printf '%s' "$1" | tr '\\n' ' ' | tail -c 600)"; finish; }
well() { case $(${curl} "$1/health") in *'"health":"true"'*) return 0 ;; esac; return 1; }
says=$(ls -- ${quote(`${dataDir}/member/wal`)} 2>&1) || case $says in *': No such file or directory' | *': Not a directory') ;; *) unknown "$says" ;; esac
data=no; for wal in ${quote(`${dataDir}/member/wal`)}/*.wal; do [ ! -e "$wal" ] || data=yes; done
printf 'data %s\\n' "$data"
[ ! -r ${MEMBER_STAMP} ] || { read -r inode id <${MEMBER_STAMP} && [ "$inode" = "$(stat -c %i -- "\${wal%/*}")" ] && echo "id=$id"; }
[ ! -r ${quote(bootstrapFile)} ] || while IFS= read -r line; do
  case $line in ETCD_INITIAL_CLUSTER_STATE=* | ETCD_INITIAL_CLUSTER_TOKEN=*) printf '%s\\n' "$line" ;; esac
done <${quote(bootstrapFile)}
[ -x ${CTL} ] && [ -s ${quote(tls.key)} ] || finish
echo asked
[ "$data" = no ] || ! well ${quote(self.clientUrl)} || { echo running; finish; }
healthy=$(
${urls.map((url) => `{ ! well ${quote(url)} || printf 'healthy %s\\n' ${quote(url)}; } &`).join('\n')}
wait)
[ -n "$healthy" ] || finish
printf '%s\\n' "$healthy"
list=$(${quoteArgv(etcdctl(urls, tls, 'member', 'list'))} 2>&1) || unknown "etcdctl member list: $list"
printf 'members\\n%s\\n' "$list"
finish
`;
}

/**
 * Reads what the script printed. Throws Unknown where that says neither who is a member nor that no member answers: a
 * member that is missing from half a list would lose its data, and a cluster that is not seen would be founded anew.
 */
export function parseView(output: string): EtcdView {
  const lines = output.split('\n');
  const unknown = lines.find((line) => line.startsWith('unknown '));
  if (unknown !== undefined) throw new Unknown(unknown.slice('unknown '.length));
  if (!lines.includes('end')) throw new Unknown('the answer of the host broke off');
  const value = (key: string) => lines.find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1) ?? '';
  const healthy = lines.filter((line) => line.startsWith('healthy ')).map((line) => line.slice('healthy '.length));
  const at = lines.indexOf('members');
  const members = at < 0 ? null : parseMemberList(lines.slice(at + 1));
  if (members?.length === 0)
    throw new Unknown(
      `etcdctl lists no member: ${lines
        .slice(at + 1)
        .join(' ')
        .slice(0, 300)}`,
    );
  return {
    data: lines.includes('data yes')
      ? {
          founded: value('ETCD_INITIAL_CLUSTER_STATE') === 'new',
          token: value('ETCD_INITIAL_CLUSTER_TOKEN'),
          id: value('id') || null,
        }
      : null,
    running: lines.includes('running'),
    othersQueried: lines.includes('asked'),
    healthy: new Set(healthy),
    members,
  };
}
