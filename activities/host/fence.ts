import { KubewrightError } from '../../contracts/errors.ts';
import { evidenceTail } from './command-error.ts';
import { FOREIGN, foreign, OWNER_CHECK } from './ownership.ts';
import type { Ownership } from './ownership-marker.ts';
import type { RemoteHost } from './types.ts';

/**
 * The right to work on a host. At most one attempt at a time holds a scope (a phase) there, and only tasks of the newest
 * operation hold anything: see docs/adr/0011-fence-on-the-host.md.
 */
export interface Fence {
  cluster: string;
  /** A phase. */
  scope: string;
  /** Of one attempt; a later attempt's is greater as text. The part before the first dot is the operation's id. */
  token: string;
}

/** Who holds a scope now, as the host remembers it: across reboots, for a late attempt may come after one. */
const HELD_DIR = '/var/lib/kubewright/fence';
/**
 * What runs under which token, in memory: one empty file per command, `<pid>.<start time>.<session or 0>.<token>`, and
 * its temporary files, `tmp.<token>.<random>`, which a claim removes when their owner could not.
 */
const RUNNING_DIR = '/run/kubewright/fence';
/** In the environment of every fenced command: knows its children when it is gone itself. */
const MARKER = 'KUBEWRIGHT_FENCE';

/**
 * sh for a new temporary folder (`-d`) or file (``) of a command: one that a killed command leaves behind is found by the
 * next claim. Without a fence below /run as well.
 */
export const makeTemporary = (option: '-d' | ''): string =>
  `mktemp ${option === '' ? '' : `${option} `}"\${KUBEWRIGHT_TMP:-/run/kubewright-tmp}.XXXXXXXX"`;

const WORD = /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/;
const TOKEN = /^[a-z0-9-]{1,63}(\.[0-9]{6,})+$/;

/**
 * The token of one attempt. `round`: how often the workflow started the task, by decision or after an interruption;
 * `attempt`: Temporal's count within that. Operation ids sort by age.
 */
export function fenceToken(operationId: string, round: number, attempt: number): string {
  const digits = (count: number) => String(count).padStart(6, '0');
  return `${operationId}.${digits(round)}.${digits(attempt)}`;
}

/** Throws INTERNAL for what must not become part of a path. */
function checked(fence: Fence): Fence {
  if (WORD.test(fence.cluster) && WORD.test(fence.scope) && TOKEN.test(fence.token)) return fence;
  throw new KubewrightError('INTERNAL', `not a fence: ${JSON.stringify(fence).slice(0, 300)}`);
}

/**
 * The part of every command's wrapper that passes the fence; runs with the fields of /proc/$$/stat in p q s b (pid,
 * parent, session, start time). First says that it is here, then looks who holds the scope; `CLAIM` first writes who
 * holds it, then looks who is here. So one of the two always sees the other. Shell builtins only: no process more.
 */
export const FENCE_CHECK = [
  'n=0;case $s in "$p")n=$s;;"$q")[ -z "$7" ]||n=$s;;esac',
  'o= h=;{ true >"$3/$4/$p.$b.$n.$6"&&read -r o <"$2/.operation"&&read -r h <"$2/$4"; } 2>/dev/null',
  '[ "$o" = "$5" ]&&[ "$h" = "$6" ]||{ echo "$1 fenced ${h:--} ${o:--}";exit 75; }',
  `${MARKER}=$6 KUBEWRIGHT_TMP=$3/$4/tmp.$6;export ${MARKER} KUBEWRIGHT_TMP`,
  'shift 6',
].join(';');

/** The arguments that `FENCE_CHECK` takes after the mark. `elevated`: the session may belong to sudo, the parent. */
export function fenceCheckArguments(fence: Fence, elevated: boolean): string[] {
  const { cluster, scope, token } = checked(fence);
  return [`${HELD_DIR}/${cluster}`, `${RUNNING_DIR}/${cluster}`, scope, operationOf(token), token, elevated ? 'y' : ''];
}

const operationOf = (token: string): string => token.slice(0, token.indexOf('.'));

/** Exit code of a script that was to take the scope on its way, and did not run. */
export const NOT_JOINED = 84;

/** How long an older holder's package manager may go on, s: half an upgrade is worse than a late one. */
const PACKAGES_SECONDS = 300;

/**
 * sh that takes the scope and lists in `files` and `old` what older holders of it, and older operations anywhere on this
 * host, have left in the register; exits with 0 when there is nothing. First of all it looks whose host it is, and marks
 * it as the cluster's when it has no owner. Arguments: cluster, scope, token, seconds, the ids of the cluster's marks, the
 * id to leave, and whether hosts are marked at all. Exit codes: 75 = a newer token is there, FOREIGN. `before` runs before
 * it looks who holds the scope.
 */
const takeScope = (before = ''): string => `
cluster=$1 scope=$2 token=$3 patience=$4 op=\${3%%.*}
owner_name=$1 owner_ids=$5 owner_leaves=$6 owned=$7
if [ -n "$owned" ]; then
${OWNER_CHECK}
fi
held=${HELD_DIR}/$cluster running=${RUNNING_DIR}/$cluster
umask 077
[ -d "$held" ] || mkdir -p -- "$held"
[ -d "$running/$scope" ] || mkdir -p -- "$running/$scope"
get() { v=; { IFS= read -r v <"$1"; } 2>/dev/null || :; }
put() {
  printf '%s\\n' "$2" | cat >"$1.new"
  mv -f -T -- "$1.new" "$1"
}
${before}
exec 9>>"$held/.lock"
flock -w 20 9 || { echo 'busy - -'; exit 75; }
get "$held/.operation"
last=$v
get "$held/$scope"
if [ "$last" \\> "$op" ] || [ "$v" \\> "$token" ]; then
  echo "busy \${v:--} \${last:--}"
  exit 75
fi
[ "$v" = "$token" ] || put "$held/$scope" "$token"
[ "$last" = "$op" ] || put "$held/.operation" "$op"
exec 9>&-

old= files=
for file in "$running"/*/*; do
  name=\${file##*/} of=\${file%/*}
  case $name in
    tmp.*) owner=\${name#tmp.} ;;
    *.*.*.*) owner=\${name#*.*.*.} ;;
    *) continue ;;
  esac
  if [ "\${owner%%.*}" \\< "$op" ] || { [ "\${of##*/}" = "$scope" ] && [ "$owner" \\< "$token" ]; }; then
    files="$files $file"
    case $name in tmp.*) ;; *) old="$old $name" ;; esac
  fi
done
[ -n "$files" ] || exit 0
`;

/**
 * sh for a function that finds what of `old` still runs. A command is found by pid and start time, its children by its
 * session. Once it is gone, another process may have its session's number: then the marker in the environment decides.
 */
const TARGETS = `# found: pids of what still runs; packing: set when a package manager is among them
targets() {
  found= packing= live=' ' alone=' ' gone=' '
  for name in $old; do
    pid=\${name%%.*} name=\${name#*.}
    start=\${name%%.*} name=\${name#*.}
    session=\${name%%.*} owner=\${name#*.}
    get "/proc/$pid/stat"
    set -- \${v##*) }
    if [ "\${20:-}" != "$start" ]; then
      [ "$session" = 0 ] || gone="$gone$session=$owner "
    elif [ "$session" = 0 ]; then
      alone="$alone$pid "
    else
      live="$live$session "
    fi
  done
  all=$(cat /proc/[0-9]*/stat 2>/dev/null | sed -nE 's/^([0-9]+) \\((.*)\\) [^ZX] [0-9]+ [0-9]+ ([0-9]+) .*/\\1 \\3 \\2/p')
  while read -r pid session name; do
    case "$live|$alone|$gone" in
      *" $session "*'|'*'|'* | *'|'*" $pid "*'|'*) ;;
      *'|'*'|'*" $session="*)
        owner=\${gone##*" $session="}
        grep -Fqzx -- "${MARKER}=\${owner%% *}" "/proc/$pid/environ" 2>/dev/null || continue
        ;;
      *) continue ;;
    esac
    found="$found $pid"
    case $name in dpkg | rpm | dnf | yum) packing=$pid ;; esac
  done <<LIST
$all
LIST
}
`;

/** Takes the scope and ends what older holders still run. Only a package manager at work is waited for. Exit code 76 = a process does not end. */
const CLAIM = `${takeScope()}
${TARGETS}targets
n=0
while [ -n "$packing" ] && [ "$n" -lt "$patience" ]; do
  sleep 1
  n=$((n + 1))
  targets
done
[ "$n" = 0 ] || echo "waited $n s for a package manager"
for how in 'TERM 10' 'KILL 50'; do
  [ -n "$found" ] || break
  echo "\${how% *}$found"
  kill -s "\${how% *}" $found 2>/dev/null || :
  n=0
  while targets && [ -n "$found" ] && [ "$n" -lt "\${how#* }" ]; do
    sleep 0.1
    n=$((n + 1))
  done
done
if [ -n "$found" ]; then
  for pid in $found; do cat "/proc/$pid/stat" 2>/dev/null || :; done
  exit 76
fi
rm -rf -- $files
`;

/**
 * Takes the scope on the way of another script, by the shell that then runs it: the command enters itself into the register
 * as `FENCE_CHECK` does, before it looks who holds the scope. Nothing is ended: when something of an older holder still runs, or
 * anything is amiss, it exits with NOT_JOINED before the script, and `claim` is to sort it out. Arguments: those of
 * `CLAIM`, then a mark, which is printed as a line when the script begins, then the script's own.
 */
const JOINED_CLAIM = `
set +e
(
set -e
${takeScope(`read -r p c t q g s x x x x x x x x x x x x x x x b x </proc/$$/stat
n=0
if [ "$s" = "$p" ]; then
  n=$s
elif [ "$s" = "$q" ]; then
  get "/proc/$q/comm"
  [ "$v" != sudo ] || n=$s
fi
true >"$running/$scope/$p.$b.$n.$token"`)}
${TARGETS}
targets
[ -z "$found" ] || exit ${NOT_JOINED}
rm -rf -- $files
)
kw_code=$?
case $kw_code in 0) ;; ${FOREIGN}) exit ${FOREIGN} ;; *) exit ${NOT_JOINED} ;; esac
set -e
${MARKER}=$3 KUBEWRIGHT_TMP=${RUNNING_DIR}/$1/$2/tmp.$3
export ${MARKER} KUBEWRIGHT_TMP
printf '%s\\n' "$8"
shift 8
`;

/**
 * Take a scope of a host for one attempt, in one round trip. When it returns, nothing of older holders runs on the host
 * any more, and none of their commands will. Throws HOST_OF_ANOTHER_CLUSTER, before anything is changed, when the host
 * carries the mark of another cluster; HOST_BUSY when a newer attempt or operation was there first, or when a process of an
 * older one does not end. `owner` null: for hosts that carry no mark, in tests of the fence alone.
 */
export async function claim(host: RemoteHost, fence: Fence, owner: Ownership | null): Promise<void> {
  const { scope } = fence;
  const { code, stdout, stderr } = await host.script(CLAIM, claimArguments(fence, owner), {
    okCodes: 'any',
    timeoutMs: (PACKAGES_SECONDS + 60) * 1000,
  });
  if (code === 0) return;
  if (code === FOREIGN && owner) throw foreign(host.name, owner, stdout);
  const evidence = evidenceTail(`${stdout}\n${stderr}`);
  const [, holder = '-', operation = '-'] = /^busy (\S+) (\S+)$/m.exec(stdout) ?? [];
  if (code === 75) throw fenced(host.name, fence, { holder, operation }, evidence);
  if (code === 76) {
    const message = `a command of an earlier attempt of ${scope} on ${host.name} does not end`;
    throw new KubewrightError('HOST_BUSY', message, { host: host.name, evidence });
  }
  const full = /No space left on device/.test(stderr);
  const why = full ? 'there is no space left for our own state' : `exit code ${code}`;
  const message = `${host.name} cannot be held for ${scope}: ${why}`;
  throw new KubewrightError(full ? 'DISK_FULL' : 'COMMAND_FAILED', message, {
    host: host.name,
    evidence: `${HELD_DIR}: ${evidence}`,
  });
}

/** `text` and `args` of a script that takes the scope first; see JOINED_CLAIM. `nonce`: a line that nothing else prints. */
export function joinedClaim(
  fence: Fence,
  owner: Ownership | null,
  script: { nonce: string; text: string; args: readonly string[] },
): { text: string; args: string[] } {
  return {
    text: `${JOINED_CLAIM}${script.text}`,
    args: [...claimArguments(fence, owner), script.nonce, ...script.args],
  };
}

function claimArguments(fence: Fence, owner: Ownership | null): string[] {
  const { cluster, scope, token } = checked(fence);
  const marks = [owner?.ids.join(' ') ?? '', owner?.leaves ?? '', owner === null ? '' : 'y'];
  return [cluster, scope, token, String(PACKAGES_SECONDS), ...marks];
}

/** What stopped at the fence: says who holds the scope, by what the host remembers ('-' = nothing). */
export function fenced(
  host: string,
  { scope, token }: Fence,
  now: { holder: string; operation: string },
  evidence = `we are ${token}; ${host} is held by ${now.holder} of operation ${now.operation}`,
): KubewrightError {
  if (now.holder === '-' && now.operation === '-') {
    return new KubewrightError('FENCE_LOST', `${host} does not know any more who works on ${scope}`, {
      host,
      evidence,
    });
  }
  const newer = now.operation === '-' || now.operation === operationOf(token) ? null : now.operation;
  const who = newer === null ? `a later attempt of ${scope}` : `operation ${newer}`;
  return new KubewrightError('HOST_BUSY', `${host} is held by ${who}: this one has been overtaken`, { host, evidence });
}
