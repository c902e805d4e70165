import { KubewrightError } from '../../contracts/errors.ts';
import { printableLine } from '../../contracts/printable.ts';
import { evidenceTail } from './command-error.ts';
import { KUBEWRIGHT_DIR } from './own-paths.ts';
import { OWNERSHIP_MARKER, type Ownership } from './ownership-marker.ts';
import type { RemoteHost } from './types.ts';

/** Exit code of a script that found the mark of another cluster. Not one of sysexits.h, which other scripts use. */
export const FOREIGN = 83;

/** Makes looking at an unmarked host and marking it one step, whichever cluster does it. */
const LOCK = '/run/kubewright/mark.lock';

/**
 * sh that looks whose host it is, and ends the script with FOREIGN when it is another cluster's, before anything else.
 * On a host without a mark it writes the mark, if the caller gave one. Takes the shell variables `owner_name`, `owner_ids`
 * (words) and `owner_leaves` (empty: leave none). A mark without a word in it, as a power failure may leave one, is none;
 * one that cannot be read counts as another cluster's.
 */
export const OWNER_CHECK = `
mark=${OWNERSHIP_MARKER}
owner_check() {
  owner= owner_id=
  [ -e "$mark" ] || return 0
  if [ ! -f "$mark" ] || [ ! -r "$mark" ]; then
    owner='?'
  else
    while [ -z "$owner" ] && read -r owner owner_id _; do :; done <"$mark"
    [ -n "$owner" ] || return 0
  fi
  if [ "$owner" = "$owner_name" ] && [ -n "$owner_id" ]; then
    case " $owner_ids " in *" $owner_id "*) return 0 ;; esac
  fi
  printf 'foreign %.100s %.100s\\n' "$owner" "\${owner_id:--}"
  exit ${FOREIGN}
}
owner_check
if [ -z "$owner" ] && [ -n "$owner_leaves" ]; then
  (umask 022 && mkdir -p /run/kubewright)
  exec 8>>${LOCK}
  flock -w 20 8
  owner_check
  if [ -z "$owner" ]; then
    (
      umask 022
      mkdir -p -- "\${mark%/*}"
      printf '%s %s\\n' "$owner_name" "$owner_leaves" >"$mark.new"
      mv -f -T -- "$mark.new" "$mark"
    )
    echo "marked $owner_name $owner_leaves"
  fi
  exec 8>&-
fi
`;

const LOOK = `owner_name=$1 owner_ids=$2 owner_leaves=\n${OWNER_CHECK}`;

/** For a dry run, which claims nothing: throws HOST_OF_ANOTHER_CLUSTER when the host carries another cluster's mark. */
export async function requireOwn(host: RemoteHost, owner: Ownership): Promise<void> {
  const { code, stdout, stderr } = await host.script(LOOK, [owner.name, owner.ids.join(' ')], { okCodes: 'any' });
  if (code === 0) return;
  if (code === FOREIGN) throw foreign(host.name, owner, stdout);
  throw new KubewrightError('COMMAND_FAILED', `the owner of host ${host.name} cannot be read: exit code ${code}`, {
    host: host.name,
    evidence: evidenceTail(`${OWNERSHIP_MARKER}: ${stdout}\n${stderr}`),
  });
}

/**
 * Runs a script that changes nothing on a host that was opened without `owner`: it looks at the mark first, in the same
 * round trip. Throws HOST_OF_ANOTHER_CLUSTER before anything of the script has run. Other exit codes are the caller's.
 */
export async function scriptOnOwn(
  host: RemoteHost,
  owner: Ownership,
  { script, args }: { script: string; args: readonly string[] },
  options: Omit<NonNullable<Parameters<RemoteHost['script']>[2]>, 'okCodes'>,
): Promise<string> {
  const text = `owner_name=$1 owner_ids=$2 owner_leaves=\nshift 2\n${OWNER_CHECK}${script}`;
  const words = [owner.name, owner.ids.join(' '), ...args];
  const { code, stdout } = await host.script(text, words, { ...options, okCodes: 'any' });
  if (code === FOREIGN) throw foreign(host.name, owner, stdout);
  return stdout;
}

/** The error for what OWNER_CHECK printed. */
export function foreign(host: string, owner: Ownership, stdout: string): KubewrightError {
  const [, name = '?', id = '-'] = (/^foreign (\S+) (\S+)$/m.exec(stdout) ?? []).map(printableLine);
  const which =
    name === owner.name
      ? `another cluster that is called ${name} too: of another installation of Kubewright, or an earlier one of this`
      : `the cluster ${name}`;
  const own = owner.ids.length === 0 ? `${owner.name}, which has no hosts yet` : `${owner.name} ${owner.ids.join(' ')}`;
  return new KubewrightError('HOST_OF_ANOTHER_CLUSTER', `the host ${host} belongs to ${which}`, {
    host,
    evidence: `${OWNERSHIP_MARKER}: ${name} ${id}; this cluster: ${own}`,
  });
}

/**
 * sh that takes the mark off a host at the end of its teardown: as the very last step, so that no other cluster begins
 * there before it. Prints the paths that it removed, and `kept <names>` when others have put files beside it.
 */
export const UNMARK = `rm -f -- ${OWNERSHIP_MARKER}.new
if [ -e ${OWNERSHIP_MARKER} ]; then rm -- ${OWNERSHIP_MARKER}; echo ${OWNERSHIP_MARKER}; fi
if rmdir -- ${KUBEWRIGHT_DIR} 2>/dev/null; then echo ${KUBEWRIGHT_DIR}
elif [ -d ${KUBEWRIGHT_DIR} ]; then echo "kept $(ls -A -- ${KUBEWRIGHT_DIR} | head -n 20 | tr '\\n' ' ')"; fi
`;
