import { HOST_PATH } from './batch-script.ts';

/**
 * dnf: one transaction for what is missing ($@). dnf waits for its lock by itself; metadata is read anew once when a
 * package is not found. Exit codes as in apt.ts.
 */
export const DNF_INSTALL = `set +e
export LC_ALL=C PATH=${HOST_PATH}
says=$(mktemp /run/kubewright-dnf.XXXXXXXX)
trap 'rm -f -- "$says"' EXIT
trap 'exit 143' HUP INT TERM
install() { timeout 900 dnf install -y -q --setopt=install_weak_deps=False "$@" </dev/null 2>"$says"; }
install "$@" && exit 0
if grep -Eq 'Unable to find a match|No match for argument|Cannot download|Failed to download' "$says"; then
  install --refresh "$@" && exit 0
fi
cat "$says" >&2
if grep -Eq 'Waiting for process|another app.* holding the (yum|dnf) lock' "$says"; then exit 75; fi
exit 1
`;

/** sh that prints the version of each installed package: `<name> <version>`. */
export const rpmQuery = (words: string): string =>
  `rpm -q --qf '%{NAME} %{VERSION}-%{RELEASE}\\n' -- ${words} | grep -v ' is not installed$'`;
