import { LEDGER } from './paths.ts';

/**
 * sh for the scripts of package managers, beside `LEDGER_FUNCTIONS`: which system accounts and groups came with packages of ours. Package
 * managers leave them when the packages go. `$at_work` is the file that says that a package manager works, `$phase` the phase of the packages.
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
  kw_ledger_open
  for kw_a in $(kw_accounts | grep -vxF -f "$at_work"); do
    # Not those that a resource of ours made meanwhile.
    kw_noted "user:\${kw_a#*/}" || kw_line "package-account:$kw_a" "$phase" '{}'
  done
  kw_ledger_close
}`;

/**
 * sh functions for a teardown, beside `kw_there` of the package manager. `kw_drop_account <user/name | group/name> <phase>`: removes
 * the account unless a package that came in the same phase is there still, or a process runs under it.
 */
export const DROP_ACCOUNTS = `kw_still_needed() {
  kw_needed=
  for kw_p in $(awk -F '\\t' -v phase="$1" '$2 == phase && $1 ~ /^packages:/ && $3 ~ /"installed":true/ { print substr($1, 10) }' ${LEDGER} 2>/dev/null); do
    if kw_there "$kw_p"; then kw_needed=$kw_p; return 0; fi
  done
}
kw_drop_account() {
  kw_name=\${1#*/}
  case $1 in user/*) kw_map=passwd kw_tool=userdel ;; *) kw_map=group kw_tool=groupdel ;; esac
  getent "$kw_map" -- "$kw_name" >/dev/null || return 0
  kw_still_needed "$2"
  if [ -n "$kw_needed" ]; then kw_tell kept "the package $kw_needed came together with it and is there still"; return 0; fi
  if kw_says=$($kw_tool -- "$kw_name" 2>&1); then kw_tell removed "\${1%/*} of a package"
  else kw_tell kept "$(printf '%s' "$kw_says" | tail -n 1 | tr '\\t' ' ')"
  fi
}`;
