import { CURL } from '../host/direct.ts';
import type { EtcdMemberState } from './etcd-state.ts';
import { BIN_DIR, ETCD_PKI } from './paths.ts';

/**
 * sh: `etcd_state <host> <client URL> <data folder>` prints what is to be seen of the member of this host, without a change:
 * `etcd-state <host> <state of the unit> <answer of /health> <answer of status> <last index of the log> <revision on disk>`, tabs
 * between. A member that starts without a majority answers no client: the index is in its journal then. The data of one that
 * does not run is read from its file, which a running one has locked.
 */
export const ETCD_STATE_FUNCTION = `etcd_state() {
  etcd_ask() { ${CURL} -sS -m 3 --cacert ${ETCD_PKI}/ca.crt --cert ${ETCD_PKI}/health.crt --key ${ETCD_PKI}/health.key "$@" 2>&1 | tr '\\n\\t\\r' '   ' | tail -c 4000; }
  etcd_unit=$(systemctl is-active etcd.service 2>/dev/null)
  etcd_health=$(etcd_ask "$2/health") etcd_status= etcd_index= etcd_revision=
  case $etcd_health in
    *'"health":'*) etcd_status=$(etcd_ask -d '{}' "$2/v3/maintenance/status") ;;
    *)
      if [ "$etcd_unit" = active ] || [ "$etcd_unit" = activating ]; then
        etcd_index=$(journalctl --unit etcd.service --lines 5000 --no-pager --output cat 2>/dev/null | sed -n 's/.*lastindex: \\([0-9]*\\), lastterm.*/\\1/p' | tail -n 1)
      elif [ -f "$3/member/snap/db" ]; then
        etcd_revision=$(timeout 5 ${BIN_DIR}/etcdutl snapshot status "$3/member/snap/db" -w json 2>/dev/null | sed -n 's/.*"revision":\\([0-9]*\\).*/\\1/p')
      else
        etcd_revision=none
      fi
      ;;
  esac
  printf 'etcd-state\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' "$1" "$etcd_unit" "$etcd_health" "$etcd_status" "$etcd_index" "$etcd_revision"
}`;

/** A member whose host cannot be asked. */
export const unreachableMember = (host: string, away: string): EtcdMemberState => ({
  ...{ host, away, healthy: false, hasLeader: false, leads: false, answers: false, unit: '' },
  ...{ empty: false, revision: null, index: null },
});

/**
 * etcd that formed has no majority: no member reaches one. In words, with what is left on each host and who has the newest data.
 * Null where a member is in touch with a majority, or nothing is known. Pure.
 */
export function lostMajority(members: readonly EtcdMemberState[]): { message: string; evidence: string } | null {
  if (members.length === 0 || members.some(({ healthy, hasLeader }) => healthy || hasLeader)) return null;
  // No member could be seen anywhere: that there was a majority, or is none, would be a guess.
  if (members.every(({ away, empty }) => away !== null || empty)) return null;
  const answering = members.filter(({ answers }) => answers);
  const newest = newestOf(members);
  const lines = members.map((member) => `${member.host}: ${describeState(member)}`);
  const silent = members.filter(({ answers }) => !answers);
  const message =
    silent.length === 0
      ? `etcd has lost its majority: all ${members.length} members run, and do not reach each other (${names(members)})`
      : `etcd has lost its majority: ${answering.length} of ${members.length} members answer (${names(answering)}), not ${names(silent)}`;
  const last = newest.length > 0 ? [`newest data that can be seen: ${newest.map(({ host }) => host).join(', ')}`] : [];
  return { message, evidence: [...lines, ...last].join('\n') };
}

const names = (members: readonly EtcdMemberState[]) => members.map(({ host }) => host).join(', ') || 'none';

/** Members with the most of the log; where no log can be seen, with the highest revision. */
function newestOf(members: readonly EtcdMemberState[]): EtcdMemberState[] {
  for (const key of ['index', 'revision'] as const) {
    const known = members.filter((member) => member[key] !== null);
    if (known.length === 0) continue;
    const most = known.reduce((highest, member) => (member[key]! > highest ? member[key]! : highest), 0n);
    return known.filter((member) => member[key] === most);
  }
  return [];
}

function describeState({ away, unit, answers, empty, revision, index }: EtcdMemberState): string {
  if (away !== null) return `the host cannot be asked: ${away}`;
  const has = [
    ...(revision === null ? [] : [`revision ${revision}`]),
    ...(index === null ? [] : [`raft index ${index}`]),
  ].join(', ');
  if (answers) return `answers, without a leader; ${has}`;
  if (empty) return `etcd.service is ${unit}; no data`;
  return `etcd.service is ${unit} and answers no client; ${has || 'its data cannot be read'}`;
}
