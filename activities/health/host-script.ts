import { quote } from '../host/quote.ts';
import { ETCD_STATE_FUNCTION } from '../kube/etcd-majority.ts';
import { FILE_SYSTEMS_FUNCTION } from '../kube/eviction.ts';

/**
 * What one host knows of itself, in one round trip and without a change: free space, memory, units, certificates. Arguments:
 * 1 units (words), 2 globs of certificates (words), 3 globs of kubeconfigs (words), 4 to 6 host, client URL and data folder of its etcd
 * member (empty: it has none), then `<use> <folder>` pairs as
 * `file_systems` takes them. Lines of words with tabs between them; `cert <path> <base64 of DER>` of the first certificate of a file,
 * `cert <path> pem:<base64 of PEM>` of a kubeconfig. Then the lines of the phases' own probes, each in a shell of its own.
 */
export const hostHealthScript = (probes: readonly { text: string; args: readonly string[] }[] = []): string =>
  `${LOOK}${probes.map(({ text, args }) => `(\nset -- ${args.map(quote).join(' ')}\n${text}\n) </dev/null 2>/dev/null\n`).join('')}echo end\n`;

const LOOK = `set +eu
export LC_ALL=C
units=$1 certificates=$2 kubeconfigs=$3 member=$4 url=$5 data=$6
shift 6
say() { (IFS='\t'; printf '%s\\n' "$*"); }
${FILE_SYSTEMS_FUNCTION}
${ETCD_STATE_FUNCTION}
file_systems "$@"
[ -z "$member" ] || etcd_state "$member" "$url" "$data"
[ -z "$units" ] || systemctl is-active -- $units 2>/dev/null | {
  for unit in $units; do
    read -r state || state=unknown
    say unit "$unit" "$state"
  done
}
# Unquoted: globs. One process for all files.
set --
for path in $certificates $kubeconfigs; do [ ! -r "$path" ] || set -- "$@" "$path"; done
[ $# = 0 ] || awk '
  FNR == 1 { inside = 0; over = 0; text = "" }
  over { next }
  /-----END CERT/ { print "cert\t" FILENAME "\t" text; over = 1 }
  inside { gsub(/[\r ]/, ""); text = text $0 }
  /-----BEGIN CERT/ { inside = 1 }
  $1 == "client-certificate-data:" { gsub(/"/, "", $2); print "cert\t" FILENAME "\tpem:" $2; over = 1 }
' "$@"
`;
