import { makeTemporary } from '../host/fence.ts';
import { HOST_PATH } from '../host/host-path.ts';
import { LEDGER_FUNCTIONS } from './ledger-script.ts';
import { NOTE_ACCOUNTS } from './package-account-script.ts';
import { FORGET_UNITS, type PackageScripts } from './package-scripts.ts';
import { PACKAGES_AT_WORK, STATE_DIR } from './paths.ts';
import { PROXY_EVIDENCE, USE_PROXY } from './proxy-script.ts';

/**
 * dnf: one transaction for what is missing ($2...), noted in the ledger under the phase $1: what was asked for before it
 * begins, what came with it afterwards. dnf waits for its lock by itself; metadata is read anew once when a
 * package is not found. After a killed dnf ($2... is then everything wanted, maybe nothing) also what is there is installed
 * once more: its scripts may not have run. Exit codes as in apt.ts.
 */
const DNF_INSTALL = `set +e
export LC_ALL=C PATH=${HOST_PATH}
${USE_PROXY}
${PROXY_EVIDENCE}
${LEDGER_FUNCTIONS}
kw_scripts_of() {
  rpm -q --scripts --provides -- "$1"
  rpm -q --list -- "$1" | grep '/sysusers\\.d/.' | xargs -r cat --
}
${NOTE_ACCOUNTS}
phase=$1
shift
at_work=${PACKAGES_AT_WORK}
says=$(${makeTemporary('')})
trap 'rm -f -- "$says" "$says.was"' EXIT
trap 'exit 143' HUP INT TERM PIPE
interrupted=
[ ! -e "$at_work" ] || interrupted=yes
mkdir -p -m 0700 -- ${STATE_DIR}
rpm -qa --qf '%{NAME}\\n' | sort -u >"$says.was"
kw_ledger_open
for kw_p; do grep -Fqx -- "$kw_p" "$says.was" || kw_line "packages:$kw_p" "$phase" '{"installed":true}'; done
kw_ledger_close
kw_begin_work
# proxy= of dnf.conf wins over the environment, so it is emptied where the spec names a proxy.
run() { timeout 900 dnf -y -q --setopt=install_weak_deps=False \${kw_proxied:+--setopt=proxy=} "$@" </dev/null 2>"$says"; }
finish() {
  kw_note_accounts
  rm -f -- "$at_work"
  exit "$1"
}
came_with() {
  rpm -qa --qf '%{NAME}\\n' | sort -u | comm -13 "$says.was" - >"$says"
  while read -r kw_p; do kw_line "packages:$kw_p" "$phase" '{"installed":true}'; done <"$says"
  kw_ledger_close
  finish 0
}
give_up() {
  cat "$says" >&2
  if grep -Eq 'Waiting for process|another app.* holding the (yum|dnf) lock' "$says"; then finish 75; fi
  if grep -Eiq 'proxy|connect|resolv|download|timed out|timeout' "$says"; then kw_proxy_evidence >&2; fi
  finish 1
}
[ $# -gt 0 ] || finish 0
if [ -n "$interrupted" ]; then
  echo 'a package manager was interrupted earlier: installed once more'
  run install --refresh "$@" && run reinstall "$@" && came_with
  give_up
fi
run install "$@" && came_with
if grep -Eq 'Unable to find a match|No match for argument|Cannot download|Failed to download' "$says"; then
  run install --refresh "$@" && came_with
fi
give_up
`;

/** sh that prints the version of each installed package: `<name> <version>`. */
const rpmQuery = (words: string): string =>
  // Without its database rpm calls every package "not installed", after an error.
  `kw_says=$(rpm -q --qf '%{NAME} %{VERSION}-%{RELEASE}\\n' -- ${words} 2>&1); case $kw_says in *error:*) kw_unknown "$kw_says" ;; esac; printf '%s\\n' "$kw_says" | grep -v ' is not installed$'`;

/** As APT_UNDO: rpm itself, which refuses to remove what another package needs. */
const DNF_UNDO = `${FORGET_UNITS}
kw_there() {
  kw_s=$(rpm -q -- "$1" 2>&1) && return 0
  # Without its database rpm calls every package "not installed", after an error.
  case $kw_s in *error:*) printf '%s\n' "$kw_s" >&2; exit 1 ;; esac
  return 1
}
kw_absent() { ! kw_there "$1"; }
kw_purge() {
  kw_left=
  for kw_p; do ! kw_there "$kw_p" || kw_left="$kw_left $kw_p"; done
  [ -n "$kw_left" ] || return 0
  if [ -n "$KW_DRY" ]; then
    kw_gone=
    if rpm -e --test -- $kw_left >/dev/null 2>&1; then kw_gone=$kw_left
    else for kw_p in $kw_left; do ! rpm -e --test -- "$kw_p" >/dev/null 2>&1 || kw_gone="$kw_gone $kw_p"; done
    fi
    for kw_p in $kw_gone; do KW_KEY="packages:$kw_p"; kw_tell removed "$kw_p"; done
    return 0
  fi
  kw_units=$(rpm -ql -- $kw_left 2>/dev/null | kw_units)
  # All of them, or else those that nothing needs any more, until there are none.
  if ! rpm -e -- $kw_left >/dev/null 2>&1; then
    kw_again=yes
    while [ -n "$kw_again" ]; do
      kw_again=
      for kw_p in $kw_left; do
        if kw_there "$kw_p" && rpm -e -- "$kw_p" >/dev/null 2>&1; then kw_again=yes; fi
      done
    done
  fi
  kw_forget_units $kw_units
  for kw_p in $kw_left; do
    KW_KEY="packages:$kw_p"
    if kw_there "$kw_p"; then kw_tell kept "$(rpm -e --test -- "$kw_p" 2>&1 | sed -n 2p)"; else kw_tell removed "$kw_p"; fi
  done
}
kw_install_again() { :; }`;

export const dnf: PackageScripts = {
  needs: ['rpm', 'dnf'],
  query: rpmQuery,
  install: DNF_INSTALL,
  resumes: 'wanted',
  undo: DNF_UNDO,
};
