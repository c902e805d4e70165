import { CURL, PROXIED_CURL } from '../host/direct.ts';
import { makeTemporary } from '../host/fence.ts';
import { HOST_PATH } from '../host/host-path.ts';
import { PROXY_ENV } from '../host/own-paths.ts';
import { LEDGER_FUNCTIONS } from './ledger-script.ts';
import { STATE_DIR } from './paths.ts';
import { PROXY_EVIDENCE } from './proxy-script.ts';
import { PUSH_FUNCTIONS } from './push-script.ts';
import { shCode } from './sh-code.ts';

/** Name of the notes for the ledger among the contents of a batch. */
export const LEDGER_LINES = 'notes';

/**
 * The functions that fragments use, and the frame around them. Every message of ours on standard output starts with
 * the nonce, which no other program can guess: `<nonce> step <key>`, `<nonce> error <CODE> <message>` (lines up to the
 * next message are evidence), `<nonce> failed <key>`.
 * Contents come as a tar on standard input and wait in a folder under /run (memory, 0700) until `put` takes them.
 */
export function batchPrelude(
  nonce: string,
  options: { payloads: boolean; ledgerLines: boolean; transfers: boolean; relabels: boolean; pushes: boolean },
): string {
  return [
    BASE.replace('@NONCE@', nonce).replace('@PATH@', HOST_PATH),
    options.payloads ? 'tar -x -f - -C "$KW_TMP"' : null,
    'exec </dev/null',
    FUNCTIONS,
    options.ledgerLines ? `${LEDGER_FUNCTIONS}\nkw_notes "$KW_TMP/${LEDGER_LINES}"` : null,
    options.transfers ? TRANSFER_FUNCTIONS : null,
    options.relabels ? RELABEL_FUNCTION : null,
    options.pushes ? PUSH_FUNCTIONS : null,
  ]
    .filter((part) => part !== null)
    .join('\n');
}

const BASE = `set -eu
export LC_ALL=C PATH=@PATH@
umask 022
KW_N=@NONCE@
KW_TMP=$(${makeTemporary('-d')})
trap 'rm -rf -- "$KW_TMP"' EXIT
trap 'exit 143' HUP INT TERM PIPE`;

const FUNCTIONS = `kw_step() { printf '%s step %s\\n' "$KW_N" "$1"; }
kw_fail() { printf '%s error %s %s\\n' "$KW_N" "$1" "$2"; }
# put <n> <path> <mode> <owner> <group> [<sha256>]: content n replaces the file, atomically
put() {
  kw_new=\${2%/*}/.\${2##*/}.kubewright-new
  if ! { install -D -T -m "$3" -o "$4" -g "$5" -- "$KW_TMP/$1" "$kw_new" && mv -f -T -- "$kw_new" "$2"; }; then
    rm -f -- "$kw_new"
    return 1
  fi
}
kw_stamp() {
  mkdir -p -m 0700 -- ${STATE_DIR}
  mkdir -p -m 0700 -- "\${1%/*}"
  # Not from printf itself: dash calls a full disk an "I/O error".
  printf '%s\\n' "$2" | cat >"$1.new"
  mv -f -T -- "$1.new" "$1"
}
kw_units_failed() {
  for kw_u in "$@"; do
    kw_s=$(systemctl is-active -- "$kw_u" 2>/dev/null) || :
    [ "$kw_s" != active ] || continue
    kw_fail ${shCode('UNIT_FAILED')} "$kw_u does not run ($kw_s)"
    systemctl show -p Result -p ExecMainCode -p ExecMainStatus -- "$kw_u" 2>&1 || :
    journalctl --unit "$kw_u" --lines 25 --no-pager --output cat 2>&1 || :
    exit 1
  done
  exit 1
}`;

/** `-F`: also the user and the role, as the policy has them. Not below folders: what daemons keep there is theirs. */
const RELABEL_FUNCTION = `kw_relabel() { ! command -v restorecon >/dev/null || restorecon -F -- "$@"; }`;

/**
 * curl: three more tries for what passes by itself, 10 s to connect, given up below 1 KiB/s for 30 s. The sum is taken
 * on the host, from what was written there. kw_room: a little more than needed, so that the system keeps breathing.
 */
const TRANSFER_FUNCTIONS = `kw_full() {
  kw_fail ${shCode('DISK_FULL')} "$1 has too little space: $2"
  df -h -- "$1" 2>&1 || :
  exit 1
}
# kw_room <dir> <KiB>
kw_room() {
  kw_free=$(df -Pk -- "$1" | { read -r _; read -r _ _ _ kw_avail _; echo "$kw_avail"; })
  [ "$kw_free" -ge "$2" ] || kw_full "$1" "$kw_free KiB free, $2 KiB needed"
}
# kw_aside <path>: nothing is there now, nor once this download ends, unless it is killed: then the next one sees to it.
# So a stamp that says "done" comes after kw_clear, or is for something of which nothing stays there.
kw_clear() { rm -rf -- "$kw_gone"; }
kw_aside() {
  kw_gone=$1
  kw_clear
  trap 'rm -rf -- "$kw_gone"' EXIT
  trap 'exit 143' HUP INT TERM PIPE
}
# Names of the cluster, its mirror among them, are left out of the proxy by its own list.
kw_download() {
  if [ -r ${PROXY_ENV} ]; then
    (set -a; . ${PROXY_ENV}; exec ${PROXIED_CURL} "$@")
  else
    ${CURL} "$@"
  fi
}
${PROXY_EVIDENCE}
# fetch <name> <url> <path> <bytes, 0 = unknown> <sha256> <KiB needed>
fetch() {
  mkdir -p -- "\${3%/*}"
  rm -f -- "$3"
  kw_room "\${3%/*}" "$6"
  kw_rc=0
  kw_says=$(kw_download --fail --silent --show-error --location --proto '=http,https' \\
    --retry 3 --retry-delay 1 --retry-connrefused --connect-timeout 10 --speed-limit 1024 --speed-time 30 \\
    --output "$3" -- "$2" 2>&1) || kw_rc=$?
  if [ "$kw_rc" -ne 0 ]; then
    rm -f -- "$3"
    [ "$kw_rc" -ne 23 ] || kw_full "\${3%/*}" "writing $1 failed"
    kw_fail ${shCode('ARTIFACT_UNREACHABLE')} "$1 cannot be downloaded from $2"
    printf '%s\\n(curl exit %s)\\n' "$kw_says" "$kw_rc"
    kw_proxy_evidence
    exit 1
  fi
  kw_got=$(stat -c %s -- "$3")
  kw_sum=$(sha256sum <"$3")
  kw_sum=\${kw_sum%% *}
  if [ "$kw_sum" != "$5" ]; then
    rm -f -- "$3"
    kw_fail ${shCode('ARTIFACT_CHECKSUM_MISMATCH')} "$1 from $2 is not the file that it should be"
    printf 'expected sha256 %s, %s bytes\\nreceived sha256 %s, %s bytes\\n' "$5" "$4" "$kw_sum" "$kw_got"
    exit 1
  fi
}`;
