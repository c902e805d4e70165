import { SYSTEM_FOLDERS } from '../../contracts/data-directory.ts';
import { KEPT_DIR, LEDGER } from './paths.ts';

/** Names that are remembered of a folder which was not empty; of a fuller one it is only said that it was. */
const MOST_BEFORE = 20_000;

const patterns = (folders: readonly string[]): string => folders.join(' | ');
const within = (folders: readonly string[]): string => folders.map((folder) => `${folder} | ${folder}/*`).join(' | ');

/** sh functions that the ledger and a teardown share. */
export const TREE_FUNCTIONS = `kw_copy_of() { printf '%s/%s' ${KEPT_DIR} "$(printf '%s' "$1" | sha256sum | cut -c1-32)"; }
# kw_mounts <folder>: "<at> TAB <file system> TAB <what is mounted>" of each mount at it or below it, the first first
kw_mounts() {
  while read -r _ _ _ kw_root kw_at kw_rest; do
    case $kw_at in *\\\\*) kw_at=$(printf '%b' "$kw_at") ;; esac
    case $kw_at in "$1" | "\${1%/}"/*) ;; *) continue ;; esac
    kw_rest=\${kw_rest#*- }
    printf '%s\\t%s\\t%s\\n' "$kw_at" "\${kw_rest%% *}" "$kw_root"
  done </proc/self/mountinfo
}
# kw_tree <folder>: all names below it, parents last, one a line; a line break in a name is written as \\001
kw_tree() { find "$1" -xdev -mindepth 1 -depth -printf '%P\\0' | tr '\\n\\0' '\\1\\n'; }
# kw_is_link <path> <where it really is>: by a link of its own, not only by one above it
kw_is_link() { [ "$2" != "$(readlink -e -- "\${1%/*}/" | sed 's|/$||')/\${1##*/}" ]; }
# kw_foreign <folder>: why a link to it is not followed; nothing when it is
kw_foreign() {
  case $1 in
    ${patterns(SYSTEM_FOLDERS.folders)}) echo 'a folder of the system'; return 0 ;;
    ${within(SYSTEM_FOLDERS.trees)}) echo 'in a folder of the system'; return 0 ;;
  esac
  for kw_f in ${[...SYSTEM_FOLDERS.trees, ...SYSTEM_FOLDERS.folders].join(' ')}; do
    case $kw_f in "$1"/*) echo "which holds $kw_f, a folder of the system"; return 0 ;; esac
  done
  kw_owner=$(stat -c %U -- "$1")
  [ "$kw_owner" = root ] || cut -f 1 ${LEDGER} 2>/dev/null | grep -qxF -- "user:$kw_owner" || echo "which belongs to $kw_owner"
}`;

/**
 * sh for the ledger, beside `LEDGER_FUNCTIONS`: `kw_note_leftover <path> <phase>` notes what daemons will fill.
 * `{}`: nothing is there. `{"file":true}`: a file or a socket, of others. `{"folder":true,"at":...}`: a folder, which is really at that place (links followed); `held`
 * says how many names were in it, and a list of them lies among the kept files when they are not too many. What is
 * mounted below is noted likewise: a disk of its own for a part of the folder stays mounted, and is emptied.
 */
export const RECORD_LEFTOVER = `kw_folder_at() {
  case $1 in *[[:cntrl:]]*) printf '{"folder":true' ;; *) printf '{"folder":true,"at":"%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g')" ;; esac
}
kw_note_folder() {
  kw_noted "leftover:$1" && return 0
  kw_list=$(kw_copy_of "$1").before
  kw_tree "$2" | head -n ${MOST_BEFORE + 1} >"$kw_list"
  kw_count=$(wc -l <"$kw_list")
  kw_was=$(kw_folder_at "$2")
  if [ "$kw_count" -gt 0 ]; then kw_was="$kw_was,\\"held\\":$kw_count"; fi
  if [ "$kw_count" -gt 0 ] && [ "$kw_count" -le ${MOST_BEFORE} ]; then sync "$kw_list"; else rm -f -- "$kw_list"; fi
  kw_line "leftover:$1" "$3" "$kw_was}"
}
kw_note_leftover() {
  if [ ! -e "$1" ]; then kw_line "leftover:$1" "$2" '{}'; return 0; fi
  [ -d "$1" ] || { kw_line "leftover:$1" "$2" '{"file":true}'; return 0; }
  kw_real=$(readlink -e -- "$1")
  # Of what no teardown will touch, nothing has to be known.
  if kw_is_link "$1" "$kw_real" && [ -n "$(kw_foreign "$kw_real")" ]; then kw_line "leftover:$1" "$2" "$(kw_folder_at "$kw_real")}"; return 0; fi
  kw_note_folder "$1" "$kw_real" "$2"
  kw_mounts "$kw_real" | while IFS="$KW_TAB" read -r kw_at _; do
    case $kw_at in "$kw_real" | *[[:cntrl:]]*) ;; *) [ ! -d "$kw_at" ] || kw_note_folder "$kw_at" "$kw_at" "$2" ;; esac
  done
}`;

/**
 * sh for a teardown: `kw_leftover <path> <yes: it was a folder> <where it really was> <names that were in it>`.
 * - Mounts below go first (the last mounted first, lazily when busy), but not those that were there before.
 * - A link is followed, and stays, with the folder that it leads to; what was there before stays too.
 * - A link to a folder of the system, of another account, or one whose earlier content is unknown, is not
 *   followed: it is listed as kept. Even there the volumes of pods are unmounted, for tokens and keys are in those.
 * With KW_DRY set, nothing is changed and the same is printed.
 */
export const LEFTOVER_FUNCTIONS = `${TREE_FUNCTIONS}
# kw_let_go <folder> [pods]: unmounts what is mounted below, says how many; pods: only volumes of pods and roots of containers
kw_let_go() {
  kw_mounts "$1" | tac | while IFS="$(printf '\\t')" read -r kw_at _; do
    [ "$kw_at" != "$1" ] || continue
    if cut -f 1 ${LEDGER} 2>/dev/null | grep -qxF -- "leftover:$kw_at"; then continue; fi
    if [ -n "\${2:-}" ]; then
      case $kw_at in */pods/*/volumes/* | */pods/*/volume-subpaths/* | */io.containerd.*/*/rootfs) ;; *) continue ;; esac
    fi
    [ -n "$KW_DRY" ] || umount -- "$kw_at" 2>/dev/null || umount -l -- "$kw_at" || exit 1
    echo x
  done | wc -l
}
# kw_ours_in <folder> <list or nothing>: what is there and was not before
kw_ours_in() {
  if [ -s "$2" ]; then kw_tree "$1" | awk 'NR == FNR { before[$0]; next } !($0 in before)' "$2" -; else kw_tree "$1"; fi
}
# kw_staying <folder> <yes: the leftover of this very folder counts>: of the names below it (standard input), those that no other
# entry takes away. KW_GOING: paths that entries of this run take away, a line each; KW_GOING_TREES: with all that is below them.
# In a real run they are gone by then.
kw_staying() {
  if [ -z "$KW_DRY" ]; then cat; return 0; fi
  KW_GOING=$KW_GOING KW_GOING_TREES=$KW_GOING_TREES awk -v own="\${2:-}" '
    BEGIN {
      folder = ARGV[1]; ARGV[1] = ""
      count = split(ENVIRON["KW_GOING"], list, "\\n")
      for (i = 1; i <= count; i++) going[list[i]]
      trees = split(ENVIRON["KW_GOING_TREES"], tree, "\\n")
    }
    {
      path = folder "/" $0
      if (path in going) next
      for (i = 1; i <= trees; i++)
        if ((tree[i] == folder && own != "") || (index(tree[i], folder "/") == 1 && index(path "/", tree[i] "/") == 1)) next
      print
    }' "$1"
}
# kw_clear <folder> <list> <words>
kw_clear() {
  kw_gone=$(kw_let_go "$1")
  if [ -z "$(kw_ours_in "$1" "$2" | kw_staying "$1" | head -n 1)" ] && [ "$kw_gone" = 0 ]; then return 1; fi
  if [ -z "$KW_DRY" ]; then
    ( cd -P -- "$1" && kw_ours_in . "$2" | tr '\\1\\n' '\\n\\0' | xargs -0 -r rm -d -f -- ) || exit 1
  fi
  kw_words=$3
  [ "$kw_gone" = 0 ] || kw_words="$kw_words, $kw_gone mounts"
  kw_tell removed "$kw_words"
}
kw_leftover() {
  [ -e "$1" ] || [ -L "$1" ] || return 0
  kw_real=$(readlink -e -- "$1") || {
    kw_tell kept "the link leads to $(readlink -m -- "$1"), which is not there: on a disk that is not mounted, what was written stays"
    return 0
  }
  if [ ! -d "$kw_real" ]; then
    [ -n "$KW_DRY" ] || rm -f -- "$1" || exit 1
    kw_tell removed "$1"
    return 0
  fi
  kw_list= kw_place='what was in it' kw_linked=
  if kw_is_link "$1" "$kw_real"; then kw_linked=yes; fi
  if [ -n "$2" ] && { [ -z "$3" ] || [ "$3" = "$kw_real" ]; }; then
    kw_list=$(kw_copy_of "$1").before
    kw_as_before=yes
  else
    kw_as_before=
    # The link is another one than at the build: what was written to the earlier place is there still.
    if [ -n "$3" ] && [ -d "$3" ] && [ ! -L "$3" ] && [ -z "$(kw_foreign "$3")" ]; then
      kw_clear "$3" "$(kw_copy_of "$1").before" "what was in $3, where $1 was" || :
    fi
  fi
  if [ -n "$kw_linked" ]; then
    kw_place="what was in $kw_real, where the link leads; the link stays"
    kw_why=$(kw_foreign "$kw_real")
    if [ -z "$kw_why" ] && [ -z "$kw_as_before" ]; then
      case $kw_real in /*/*) ;; *) kw_why='which may hold things of others: it was no such link at the build' ;; esac
      [ -z "$(kw_mounts "$kw_real" | grep -F "$kw_real$(printf '\\t')")" ] ||
        kw_why='a mounted disk that may hold things of others: it was no such link at the build'
    fi
    if [ -n "$kw_why" ]; then
      kw_gone=$(kw_let_go "$kw_real" pods)
      kw_tell kept "the link leads to $kw_real, $kw_why: look there yourself$([ "$kw_gone" = 0 ] || echo "; $kw_gone volumes of pods unmounted")"
      return 0
    fi
  fi
  if [ "$4" -gt ${MOST_BEFORE} ]; then
    kw_gone=$(kw_let_go "$kw_real" pods)
    kw_tell kept "more than ${MOST_BEFORE} files were in $kw_real before the build, so ours cannot be identified$([ "$kw_gone" = 0 ] || echo "; $kw_gone volumes of pods unmounted")"
    return 0
  fi
  if [ -n "$2" ] || [ -n "$kw_linked" ]; then
    kw_clear "$kw_real" "$kw_list" "$kw_place" || :
    [ -z "$kw_list" ] || [ -n "$KW_DRY" ] || rm -f -- "$kw_list"
    return 0
  fi
  # Nothing was there: what a daemon mounted over it is ours, a disk is not.
  while kw_top=$(kw_mounts "$kw_real" | grep -F "$kw_real$(printf '\\t')" | tail -n 1) && [ -n "$kw_top" ]; do
    case $kw_top in
      *"$(printf '\\ttmpfs\\t')"* | *"$(printf '\\toverlay\\t')"* | *"$(printf '\\t')$kw_real") ;;
      *) break ;;
    esac
    [ -z "$KW_DRY" ] || break
    umount -l -- "$kw_real" || exit 1
  done
  if [ -n "$kw_top" ]; then
    kw_clear "$kw_real" '' 'what was in it; it is a disk of its own, which stays mounted' || :
    return 0
  fi
  [ -n "$KW_DRY" ] || { kw_let_go "$kw_real" >/dev/null && rm -rf --one-file-system -- "$kw_real"; } || exit 1
  kw_tell removed "$1"
}`;
