/** Bytes of a cause that a probe passes on: the end, where programs say why. */
const WHY_BYTES = 600;

/**
 * sh functions for the fragments of a probe. A fragment always prints something; that it learned nothing, and why, it says
 * by `kw_unknown`. All of them leave the fragment by `exit`, so they must be called in its own shell: not in `$(...)` and
 * not in a pipe. `$M` is the marker of the probe.
 */
export const PROBE_FUNCTIONS = `# kw_unknown <why>
kw_unknown() {
  printf '\\n%s? %s\\n' "$M" "$(printf '%s' "$1" | tr '\\n\\t' '  ' | tail -c ${WHY_BYTES})"
  exit 0
}
# kw_stat <arguments of stat>: what it says is in $kw_says. Fails where nothing is there; any other failure is unknown.
kw_stat() {
  kw_says=$(stat "$@" 2>&1) && return 0
  case $kw_says in *': No such file or directory' | *': Not a directory') return 1 ;; esac
  kw_unknown "$kw_says"
}
# kw_sha256 <path of a plain file>: its sum is in $kw_says. Fails where nothing is there.
kw_sha256() {
  kw_says=$({ sha256sum <"$1"; } 2>&1) && { kw_says=\${kw_says%% *}; return 0; }
  case $kw_says in *': No such file'* | *': Not a directory'*) kw_says=; return 1 ;; esac
  kw_unknown "$1: $kw_says"
}`;
