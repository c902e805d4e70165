import { makeTemporary } from '../host/fence.ts';
import { HOST_PATH } from '../host/host-path.ts';
import { LEDGER_FUNCTIONS } from './ledger-script.ts';
import { NOTE_ACCOUNTS } from './package-account-script.ts';
import { FORGET_UNITS, type PackageScripts } from './package-scripts.ts';
import { PACKAGES_AT_WORK, STATE_DIR } from './paths.ts';
import { PROXY_EVIDENCE, USE_PROXY } from './proxy-script.ts';

/**
 * What apt calls before dpkg begins: the ledger gets every package that is to be installed, those that others need
 * included, and every one that has to go. On standard input: apt's settings, an empty line, then
 * `<name> <old version or -> <direction> <new version> <file or what>` (apt.conf, DPkg::Tools, version 2).
 */
const RECORD_PACKAGES = `set -eu
${LEDGER_FUNCTIONS}
kw_ledger_open
sed '1,/^$/d' >"$1.plan"
while read -r kw_name kw_old _ _ kw_what; do
  case $kw_what in
    '**REMOVE**') kw_line "packages:$kw_name" "$2" '{"removed":true}' ;;
    *.deb) [ "$kw_old" != - ] || kw_line "packages:$kw_name" "$2" '{"installed":true}' ;;
  esac
done <"$1.plan"
rm -f -- "$1.plan"
kw_ledger_close
`;

/**
 * apt: one transaction for what is missing ($2..., none: only the repair), noted in the ledger under the phase $1. Repairs
 * what a killed apt or dpkg left first, and reads the package lists anew then, when there are none, or when apt cannot find
 * or fetch a package with those it has. Exit codes: 75 = another process holds the lock, 1 = failed; what apt said is on
 * standard error.
 */
const APT_INSTALL = `set +e
export LC_ALL=C PATH=${HOST_PATH} DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
${USE_PROXY}
${PROXY_EVIDENCE}
${LEDGER_FUNCTIONS}
kw_scripts_of() {
  cat -- /var/lib/dpkg/info/"$1".p*inst /var/lib/dpkg/info/"$1":*.p*inst
  dpkg-query -L -- "$1" | grep '/sysusers\\.d/.' | xargs -r cat --
}
${NOTE_ACCOUNTS}
phase=$1
shift
at_work=${PACKAGES_AT_WORK}
says=$(${makeTemporary('')})
trap 'rm -f -- "$says" "$says.sh" "$says.plan"' EXIT
cat >"$says.sh" <<'KW_NOTE_PACKAGES'
${RECORD_PACKAGES}KW_NOTE_PACKAGES
trap 'exit 143' HUP INT TERM PIPE
# Settings of the host win over the environment, so they are emptied where the spec names a proxy.
get() {
  if [ -n "$kw_proxied" ]; then
    set -- -o Acquire::http::Proxy= -o Acquire::https::Proxy= -o Acquire::http::Proxy-Auto-Detect= \
      -o Acquire::https::Proxy-Auto-Detect= -o Acquire::http::ProxyAutoDetect= "$@"
  fi
  apt-get "$@"
}
apt() {
  get -y -q -o DPkg::Lock::Timeout=60 -o Dpkg::Use-Pty=0 -o Acquire::Retries=2 \\
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \\
    -o DPkg::Pre-Install-Pkgs::="/usr/bin/env sh $says.sh $says $phase" \\
    -o DPkg::Tools::Options::/usr/bin/env::Version=2 "$@" </dev/null 2>"$says"
}
install() { apt install --no-install-recommends "$@"; }
# The lock of the lists has no timeout of its own.
update() {
  tries=0
  until get update -q -o Acquire::Retries=2 </dev/null 2>"$says"; do
    grep -q 'Could not get lock' "$says" && [ "$tries" -lt 60 ] || return 1
    tries=$((tries + 1))
    sleep 1
  done
}
repair() {
  echo 'a package manager was interrupted earlier: dpkg --configure -a'
  dpkg --configure -a --force-confdef --force-confold </dev/null || apt install --fix-broken || :
}
finish() {
  kw_note_accounts
  rm -f -- "$at_work"
  exit "$1"
}
give_up() {
  cat "$says" >&2
  if grep -Eq 'Could not get lock|Unable to acquire the dpkg' "$says"; then finish 75; fi
  if grep -Eiq 'proxy|connect|resolv|fetch|timed out' "$says"; then kw_proxy_evidence >&2; fi
  finish 1
}
interrupted=
[ ! -e "$at_work" ] || interrupted=yes
mkdir -p -m 0700 -- ${STATE_DIR}
kw_begin_work
if [ -n "$interrupted" ] || [ -n "$(ls -A /var/lib/dpkg/updates 2>/dev/null)" ]; then repair; fi
[ $# -gt 0 ] || finish 0
if [ -n "$interrupted" ] || ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
  update || give_up
fi
install "$@" && finish 0
if grep -Eq 'dpkg was interrupted|dpkg --configure -a' "$says"; then
  repair
elif grep -Eq 'Unable to locate package|has no installation candidate|Unable to fetch|Failed to fetch|404 +Not Found' "$says"; then
  update || give_up
elif grep -q 'Unmet dependencies' "$says"; then
  apt install --fix-broken
else
  give_up
fi
install "$@" && finish 0
give_up
`;

/** sh that prints the version of each installed package: `<name> <version>`. Half-installed ones are left out, held ones count. */
const aptQuery = (words: string): string =>
  // 1: some of them are unknown to dpkg; anything above: its database cannot be read.
  `kw_says=$(dpkg-query -W -f '\${db:Status-Abbrev}|\${Package} \${Version}\\n' -- ${words} 2>&1); [ $? -lt 2 ] || kw_unknown "$kw_says"; printf '%s\\n' "$kw_says" | sed -n 's/^[a-z]i *|//p'`;

/**
 * sh functions for a teardown (see `undoFunctions`). `kw_purge <name>...`: dpkg itself, which removes no package but
 * those, and none that another one needs. `kw_install_again <name>...`: what had to go for ours.
 */
const APT_UNDO = `${FORGET_UNITS}
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
# kw_status <name>: in $kw_s; a database that cannot be read is no word on a package
kw_status() {
  kw_s=$(dpkg-query -W -f '\${db:Status-Status}' -- "$1" 2>&1)
  case $? in
    0) ;;
    1) kw_s= ;;
    *) printf '%s\n' "$kw_s" >&2; exit 1 ;;
  esac
}
kw_there() { kw_status "$1"; [ "$kw_s" = installed ]; }
# Nor in part: during an upgrade it is unpacked or half-configured.
kw_absent() { kw_status "$1"; case $kw_s in '' | not-installed | config-files) ;; *) return 1 ;; esac; }
kw_purge() {
  if [ -n "$(ls -A /var/lib/dpkg/updates 2>/dev/null)" ]; then
    dpkg --configure -a --force-confdef --force-confold </dev/null >&2
  fi
  kw_left=
  for kw_p; do
    kw_status "$kw_p"
    case $kw_s in ''|not-installed) ;; *) kw_left="$kw_left $kw_p" ;; esac
  done
  [ -n "$kw_left" ] || return 0
  if [ -n "$KW_DRY" ]; then
    kw_says=$(dpkg --no-act --purge $kw_left </dev/null 2>&1)
    for kw_p in $kw_left; do
      KW_KEY="packages:$kw_p"
      if printf '%s\\n' "$kw_says" | grep -q "^Would remove or purge $kw_p[ :]"; then kw_tell removed "$kw_p"; fi
    done
    return 0
  fi
  kw_units=$(dpkg-query -L -- $kw_left 2>/dev/null | kw_units)
  kw_tries=0
  until kw_says=$(dpkg --purge --no-pager $kw_left </dev/null 2>&1); do
    printf '%s' "$kw_says" | grep -Eq 'frontend lock|is locked by another process' || break
    kw_tries=$((kw_tries + 1))
    [ "$kw_tries" -lt 120 ] || { printf '%s\n' "$kw_says" >&2; return 1; }
    sleep 0.5
  done
  kw_forget_units $kw_units
  for kw_p in $kw_left; do
    KW_KEY="packages:$kw_p"
    if ! kw_there "$kw_p"; then kw_tell removed "$kw_p"; continue; fi
    kw_why=$(printf '%s\n' "$kw_says" | sed -n "s/^ *\\([^ ]* .*depends on $kw_p[ .(].*\\)/\\1/p" | head -n 1)
    [ -n "$kw_why" ] || { printf '%s\n' "$kw_says" | tail -n 5 >&2; return 1; }
    kw_tell kept "$kw_why"
  done
}
kw_install_again() {
  for kw_p; do
    kw_there "$kw_p" && continue
    KW_KEY="packages:$kw_p"
    # It had to go for a package that is there still.
    kw_says=$(apt-get install --simulate -q --no-install-recommends -- "$kw_p" </dev/null 2>&1)
    if kw_goes=$(printf '%s\\n' "$kw_says" | grep -m 1 '^Remv '); then kw_tell kept "it excludes another package: $kw_goes"; continue; fi
    if [ -n "$KW_DRY" ]; then kw_tell restored "$kw_p"; continue; fi
    if kw_says=$(${USE_PROXY}; timeout 300 apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=60 \\
      -o Dpkg::Use-Pty=0 -- "$kw_p" </dev/null 2>&1); then kw_tell restored "$kw_p"
    else kw_tell kept "it cannot be installed again: $(printf '%s' "$kw_says" | tail -n 1 | tr '\\t' ' ')"
    fi
  done
}`;

export const apt: PackageScripts = {
  needs: ['dpkg-query'],
  query: aptQuery,
  install: APT_INSTALL,
  resumes: 'missing',
  undo: APT_UNDO,
};
