import { randomBytes } from 'node:crypto';
import { KubewrightError } from '../../contracts/errors.ts';
import { FENCE_CHECK, type Fence, fenceCheckArguments } from './fence.ts';
import { HOST_PATH } from './host-path.ts';
import { loginShellLine, STDIN_GUARD, TAKE_GUARD } from './login-shell.ts';
import { quoteArgv } from './quote.ts';

/**
 * Linux takes at most 128 KiB in one argument (MAX_ARG_STRLEN), and sshd hands the whole line to the login shell as one.
 * Larger things go through standard input.
 */
const LINE_BYTES = 128 * 1024 - 1;

/**
 * The whole environment of a command. Nothing comes from the host: not /etc/environment (PAM), sshd's SetEnv and AcceptEnv,
 * shell files, nor sudo's env_keep. So no https_proxy, ETCDCTL_ENDPOINTS, CONTAINERD_ADDRESS, KUBECONFIG, TAR_OPTIONS or
 * APT_CONFIG changes what we run. sudo's secure_path on RHEL lacks /usr/local/bin, and parsers need untranslated output.
 * `env` by its path: the PATH of a login may have another one first.
 */
const ENVIRONMENT: readonly string[] = ['/usr/bin/env', '-i', `PATH=${HOST_PATH}`, 'LC_ALL=C', 'HOME=/root'];
const SETUP = 'umask 022;';
/** Finds sudo where the login's own PATH says, or where the start-up files spoilt that, in the usual places. */
const SUDO_SETUP = `PATH=\${PATH:+$PATH:}${HOST_PATH};export PATH;`;

/**
 * Says who it is, then becomes the command: no process of its own remains. Fields of /proc/PID/stat: pid, name, state,
 * parent, group, session, and as the 22nd the start time. The line carries a random mark, and so does the first line of
 * standard error: whatever start-up files and sudo printed before can be separated.
 */
const WHO = 'read -r p c t q g s x x x x x x x x x x x x x x x b x </proc/$$/stat;';
const REPORT = 'echo "$m $p $q $g $s $b";echo "$m" >&2;shift;exec "$@"';

/**
 * Eats standard input up to the mark: sudo takes the password line only when it asks for one, and a NOPASSWD rule must
 * not leave it to the command. `read` takes single bytes from a pipe, so nothing after the mark is lost.
 */
const EAT = 'while IFS= read -r l;do [ "$l" = "$1" ]&&break;done;';

/** How the command becomes root. */
export type Elevation = { kind: 'none' } | { kind: 'sudo' } | { kind: 'sudo-password'; password: string };

/** What to send to sshd, and what to look for in the answer. */
export interface CommandLine {
  line: string;
  /** Begins the line of standard output, and is the line of standard error, after which the command's own begin. */
  nonce: string;
  /** To be written before the command's own standard input. */
  stdinPrefix: string;
}

/**
 * Wrap argv so that it runs with known settings, elevated as asked, passes the fence when there is one, and reports its
 * process group first.
 */
export function commandLine(argv: readonly string[], elevation: Elevation, fence?: Fence): CommandLine {
  const nonce = `kw-${randomBytes(9).toString('hex')}`;
  const eat = elevation.kind === 'sudo-password' ? EAT : '';
  const script = `${eat}${SETUP}${WHO}m=$1;${fence ? `${FENCE_CHECK};` : ''}${REPORT}`;
  const pass = fence ? fenceCheckArguments(fence, elevation.kind !== 'none') : [];
  const text = elevated(elevation, ['sh', '-c', script, 'sh', nonce, ...pass, ...argv]);
  const stdinPrefix = `${STDIN_GUARD}${passwordLine(elevation)}${eat === '' ? '' : `${nonce}\n`}`;
  return { line: bounded(loginShellLine(text), argv), nonce, stdinPrefix };
}

/** Throws INTERNAL for a line that Linux does not take. */
function bounded(line: string, argv: readonly string[]): string {
  if (line.length <= LINE_BYTES) return line;
  throw new KubewrightError('INTERNAL', `the command line of ${argv[0]} is longer than ${LINE_BYTES} bytes`);
}

/** Where the running command is, by its own report. */
export interface RemoteProcess {
  pid: number;
  parent: number;
  group: number;
  session: number;
  /** In clock ticks since the boot: with `pid` it names one process for good, while a pid alone is used again. */
  startTime: number;
}

/**
 * Signals everything of one command and waits until it is gone: TERM, then KILL after a short while. A line of
 * /proc/PID/stat: pid (name) state parent group session; the name may hold anything, so the last parenthesis counts.
 * With a third and fourth argument only if that process, by pid and start time, still runs.
 */
const END = `
if [ $# -gt 2 ]; then
  by=$1 id=$2 start=$4
  line=$(cat "/proc/$3/stat" 2>/dev/null) || exit 0
  set -- \${line##*) }
  [ "\${20}" = "$start" ] || exit 0
  set -- "$by" "$id"
fi
case $1 in
  session) match="[0-9]* (.*) [^Z] [0-9]* [0-9]* $2 " ;;
  group) match="[0-9]* (.*) [^Z] [0-9]* $2 " ;;
  *) match="$2 (.*) [^Z] " ;;
esac
list() { cat /proc/[0-9]*/stat 2>/dev/null | sed -n "/^$match/s/ .*//p"; }
end() {
  pids=$(list)
  [ -n "$pids" ] || exit 0
  kill -s "$1" $pids 2>/dev/null
}
end TERM
n=0
while [ $n -lt 14 ]; do
  sleep 0.05
  [ -n "$(list)" ] || exit 0
  n=$((n + 1))
done
n=0
while [ $n -lt 30 ]; do
  end KILL
  sleep 0.1
  n=$((n + 1))
done
`;

/**
 * The command that ends another one. sshd starts each command in a session of its own, and the session also holds what
 * `timeout` or a shell's job control moved to other process groups. Its leader is the command itself, or sudo in its
 * place. When the report does not look like that (a server that makes no session), only what is surely ours is ended.
 * `orphan`: the connection was lost meanwhile, so make sure that the pid still means the same process. `argv` is what the
 * line runs, without what elevates it.
 */
export function endLine(
  target: RemoteProcess,
  elevation: Elevation,
  orphan = false,
): { argv: string[]; line: string; stdin: string } {
  const { pid, parent, group, session, startTime } = target;
  const own = session === pid || (elevation.kind !== 'none' && session === parent);
  const [by, id] = own ? ['session', session] : group === pid ? ['group', group] : ['pid', pid];
  const numbers = orphan ? [id, pid, startTime] : [id];
  const argv = ['sh', '-c', `${SETUP}${END}`, 'sh', String(by), ...numbers.map(String)];
  return { argv, line: loginShellLine(elevated(elevation, argv)), stdin: `${STDIN_GUARD}${passwordLine(elevation)}` };
}

/** sh that becomes the command, as the elevation says. The command's words are the last line that begins in it. */
function elevated(elevation: Elevation, argv: readonly string[]): string {
  const setup = elevation.kind === 'none' ? '' : SUDO_SETUP;
  return `${TAKE_GUARD}${setup}\nexec ${quoteArgv([...sudo(elevation), ...ENVIRONMENT, ...argv])}`;
}

function sudo(elevation: Elevation): string[] {
  switch (elevation.kind) {
    case 'none':
      return [];
    case 'sudo':
      return ['sudo', '-n', '--'];
    case 'sudo-password':
      return ['sudo', '-S', '-p', '', '--'];
  }
}

function passwordLine(elevation: Elevation): string {
  return elevation.kind === 'sudo-password' ? `${elevation.password}\n` : '';
}
