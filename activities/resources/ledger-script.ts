import { RECORD_LEFTOVER, TREE_FUNCTIONS } from './leftover-script.ts';
import { ARTIFACT_STAMP_DIR, KEPT_DIR, LEDGER, LEDGER_DIR, LEDGER_PARTIAL, STAMP_DIR, STATE_DIR } from './paths.ts';

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/**
 * sh functions that write the ledger. A line is `<kind>:<id> TAB <phase> TAB <prior, JSON>`; the first line of a key
 * counts. Lines are on disk before the thing itself is changed, so neither a kill nor a power cut can leave
 * something of ours on the host that the ledger does not know.
 */
export const LEDGER_FUNCTIONS = `KW_TAB=$(printf '\\t')
kw_ledger_open() {
  KW_ADDED=
  if [ ! -d ${LEDGER_DIR} ]; then
    # What is there already came from a version without a ledger.
    kw_older=
    for kw_f in ${STAMP_DIR}/unit.* ${ARTIFACT_STAMP_DIR}/*; do [ ! -e "$kw_f" ] || kw_older=yes; done
    mkdir -p -m 0700 -- ${STATE_DIR}
    kw_new=${LEDGER_DIR}.$$
    rm -rf -- "$kw_new"
    mkdir -m 0700 -- "$kw_new" "$kw_new/${nameOf(KEPT_DIR)}"
    [ -z "$kw_older" ] || : >"$kw_new/${nameOf(LEDGER_PARTIAL)}"
    # Another task of the host may have been quicker.
    mv -T -- "$kw_new" ${LEDGER_DIR} 2>/dev/null || { rm -rf -- "$kw_new"; [ -d ${LEDGER_DIR} ]; }
  fi
  # A line that a power cut tore must not swallow the next one.
  if [ -s ${LEDGER} ] && [ -n "$(tail -c 1 ${LEDGER})" ]; then echo >>${LEDGER}; fi
  KW_KEYS="
$(cut -f 1 ${LEDGER} 2>/dev/null || :)
"
}
kw_noted() {
  case $KW_KEYS in *"
$1
"*) return 0 ;; esac
  return 1
}
# kw_line <key> <phase> <prior>
kw_line() {
  kw_noted "$1" && return 0
  printf '%s\\t%s\\t%s\\n' "$1" "$2" "$3" >>${LEDGER}
  KW_KEYS="$KW_KEYS$1
"
  KW_ADDED=yes
}
# kw_parents <path> <phase>: the folders above it that we will have to make, the topmost first
kw_parents() {
  kw_up=\${1%/*} kw_made=
  while [ -n "$kw_up" ] && [ ! -e "$kw_up" ] && [ ! -L "$kw_up" ]; do
    kw_made="$kw_up
$kw_made"
    kw_up=\${kw_up%/*}
  done
  [ -n "$kw_made" ] || return 0
  while IFS= read -r kw_up; do
    [ -z "$kw_up" ] || kw_line "directory:$kw_up" "$2" '{"made":true}'
  done <<KW_MADE
$kw_made
KW_MADE
}
${TREE_FUNCTIONS}
${RECORD_LEFTOVER}
# kw_keep <path>: what is there now, set aside as it is
kw_keep() {
  kw_copy=$(kw_copy_of "$1")
  # A copy from an earlier time, whose entry was struck off since, is no word on now.
  [ -e "$1" ] || [ -L "$1" ] || { rm -rf -- "$kw_copy"; return 0; }
  rm -rf -- "$kw_copy.new"
  cp -a -- "$1" "$kw_copy.new"
  rm -rf -- "$kw_copy"
  mv -T -- "$kw_copy.new" "$kw_copy"
  KW_ADDED=yes
}
# kw_note <key> <phase> <prior> <place>...: places are "=<path>" (to be replaced), "/<folder>" (to be made) and
# "~<path>" (what a daemon of ours fills: ours but for what is there already)
kw_note() {
  kw_noted "$1" && return 0
  kw_key=$1 kw_phase=$2 kw_prior=$3
  shift 3
  for kw_place in "$@"; do
    kw_path=\${kw_place#[=~]}
    case $kw_place in
      /*) kw_parents "$kw_path/." "$kw_phase" ;;
      =*) kw_parents "$kw_path" "$kw_phase"; kw_keep "$kw_path" ;;
      *)
        kw_parents "$kw_path" "$kw_phase"
        kw_note_leftover "$kw_path" "$kw_phase" ;;
    esac
  done
  # What was there was noted above, by kw_note_leftover.
  case $kw_key in leftover:*) kw_noted "$kw_key" && return 0 ;; esac
  kw_line "$kw_key" "$kw_phase" "$kw_prior"
}
kw_ledger_close() { [ -z "$KW_ADDED" ] || sync ${LEDGER} ${KEPT_DIR} 2>/dev/null || :; }
# kw_notes <file>: lines as kw_note takes them, separated by tabs
kw_notes() {
  kw_ledger_open
  set -f
  while IFS= read -r kw_note_line; do
    IFS=$KW_TAB
    # shellcheck disable=SC2086
    set -- $kw_note_line
    unset IFS
    kw_note "$@"
  done <"$1"
  set +f
  kw_ledger_close
}`;
