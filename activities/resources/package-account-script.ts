import { LEDGER } from './paths.ts';

/**
 * sh for the scripts of package managers, beside `LEDGER_FUNCTIONS` and `kw_scripts_of <package>`: which system accounts and groups came with
 * packages of ours. Package managers leave them when the packages go. `$at_work` is the file that says that a package manager works, `$phase` the
 * phase of the packages. An account that is new, and in no script of these packages, is of others who installed something meanwhile.
 */
export const NOTE_ACCOUNTS = `# kw_accounts: "user/<name>" of each local system account without a login, "group/<name>" of each such group
kw_accounts() {
  awk -F: '$1 ~ /^[a-z_][a-z0-9_-]*$/ && $3 < 1000 && $7 ~ /(nologin|false)$/ { print "user/" $1 }' /etc/passwd
  awk -F: '$1 ~ /^[a-z_][a-z0-9_-]*$/ && $3 < 1000 { print "group/" $1 }' /etc/group
}
# After an interruption the file holds those that were there before all of it.
kw_begin_work() {
  [ ! -s "$at_work" ] || return 0
  kw_accounts >"$at_work.new" && mv -f -T -- "$at_work.new" "$at_work"
}
kw_note_accounts() {
  [ -s "$at_work" ] || return 0
  kw_new=$(kw_accounts | grep -vxF -f "$at_work")
  [ -n "$kw_new" ] || return 0
  kw_ledger_open
  kw_brought=$(
    for kw_p in $(awk -F '\\t' -v phase="$phase" '$2 == phase && $1 ~ /^packages:/ && $3 ~ /"installed":true/ { print substr($1, 10) }' ${LEDGER}); do
      kw_text=$(kw_scripts_of "$kw_p" 2>/dev/null)
      for kw_a in $kw_new; do
        if printf '%s\\n' "$kw_text" | grep -qwF -e "\${kw_a#*/}"; then echo "$kw_a $kw_p"; fi
      done
    done
  )
  for kw_a in $kw_new; do
    kw_with=$(printf '%s\\n' "$kw_brought" | awk -v account="$kw_a" '$1 == account { printf "%s%s", between, $2; between = " " }')
    # Not those that a resource of ours made meanwhile.
    [ -z "$kw_with" ] || kw_noted "user:\${kw_a#*/}" || kw_line "package-account:$kw_a" "$phase" "{\\"with\\":\\"$kw_with\\"}"
  done
  kw_ledger_close
}`;

/**
 * sh functions for a teardown, beside `kw_absent` of the package manager. `kw_drop_account <user/name | group/name> <package>...`: removes
 * the account unless one of the packages that make it is there still, or a process runs under it.
 */
export const DROP_ACCOUNTS = `kw_drop_account() {
  kw_account=$1 kw_name=\${1#*/}
  case $1 in user/*) kw_map=passwd kw_tool=userdel ;; *) kw_map=group kw_tool=groupdel ;; esac
  getent "$kw_map" -- "$kw_name" >/dev/null || return 0
  shift
  for kw_p; do
    if ! kw_absent "$kw_p"; then kw_tell kept "the package $kw_p, which makes it, is there still"; return 0; fi
  done
  if kw_says=$($kw_tool -- "$kw_name" 2>&1); then kw_tell removed "\${kw_account%/*} of a package"
  else kw_tell kept "$(printf '%s' "$kw_says" | tail -n 1 | tr '\\t' ' ')"
  fi
}`;
