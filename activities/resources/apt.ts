import { HOST_PATH } from './batch-script.ts';

/**
 * apt: one transaction for what is missing ($@). Repairs an interrupted dpkg first; reads the package lists anew only
 * when there are none, or when apt cannot find or fetch a package with those it has. Exit codes: 75 = somebody else
 * holds the lock, 1 = failed; what apt said is on standard error.
 */
export const APT_INSTALL = `set +e
export LC_ALL=C PATH=${HOST_PATH} DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
says=$(mktemp /run/kubewright-apt.XXXXXXXX)
trap 'rm -f -- "$says"' EXIT
trap 'exit 143' HUP INT TERM
install() {
  apt-get install -y -q --no-install-recommends \\
    -o DPkg::Lock::Timeout=60 -o Dpkg::Use-Pty=0 -o Acquire::Retries=2 \\
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -- "$@" </dev/null 2>"$says"
}
# The lock of the lists has no timeout of its own.
update() {
  tries=0
  until apt-get update -q -o Acquire::Retries=2 </dev/null 2>"$says"; do
    grep -q 'Could not get lock' "$says" && [ "$tries" -lt 60 ] || return 1
    tries=$((tries + 1))
    sleep 1
  done
}
give_up() {
  cat "$says" >&2
  if grep -Eq 'Could not get lock|Unable to acquire the dpkg' "$says"; then exit 75; fi
  exit 1
}
if [ -n "$(ls -A /var/lib/dpkg/updates 2>/dev/null)" ]; then
  echo 'dpkg was interrupted earlier: dpkg --configure -a'
  dpkg --configure -a --force-confdef --force-confold </dev/null
fi
if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
  update || give_up
fi
install "$@" && exit 0
if grep -Eq 'dpkg was interrupted|dpkg --configure -a' "$says"; then
  dpkg --configure -a --force-confdef --force-confold </dev/null || :
elif grep -Eq 'Unable to locate package|has no installation candidate|Unable to fetch|Failed to fetch|404 +Not Found' "$says"; then
  update || give_up
elif grep -q 'Unmet dependencies' "$says"; then
  apt-get install -y -q --fix-broken -o DPkg::Lock::Timeout=60 -o Dpkg::Use-Pty=0 </dev/null || :
else
  give_up
fi
install "$@" || give_up
`;

/** sh that prints the version of each installed package: `<name> <version>`. Half-installed ones are left out, held ones count. */
export const aptQuery = (words: string): string =>
  `dpkg-query -W -f '\${db:Status-Abbrev}|\${Package} \${Version}\\n' -- ${words} | sed -n 's/^[a-z]i *|//p'`;
