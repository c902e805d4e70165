import { z } from 'zod';
import { hostsWithRole, internalAddress } from '../../contracts/cluster.ts';
import type { Change } from '../../contracts/operation.ts';
import { CURL } from '../host/direct.ts';
import { ETCD_BY_ID } from '../kube/etcd-grpc.ts';
import { ETCD_FIELD } from '../kube/etcd-state.ts';
import { ETCD_CLIENT_PORT, KUBERNETES_PKI } from '../kube/paths.ts';
import { definePhase } from './phase.ts';

/**
 * Members of leaving hosts leave etcd, one after the other, before their hosts are torn down. The leadership goes to a member that
 * stays first. Asked through a control plane, which has a certificate for etcd whether or not it has a member itself.
 */
export default definePhase({
  name: 'remove-member',
  title: 'Remove etcd members',
  onDemand: true,
  hosts: 'one-control-plane',
  needs: [{ phase: 'remove-node', on: 'every-host' }],
  timeouts: { applyMs: 10 * 60_000, verifyMs: 10_000 },
  expectedMs: 2_000,
  options: z.strictObject({}),
  async run({ cluster, remote, targetHosts, mode, fail }): Promise<Change[]> {
    const url = (name: string) => {
      const host = cluster.spec.hosts.find((each) => each.name === name)!;
      return `https://${internalAddress(host)}:${ETCD_CLIENT_PORT}`;
    };
    const members = hostsWithRole(cluster, 'etcd').map(({ name }) => name);
    const leaving = members.filter((name) => targetHosts?.includes(name));
    const staying = members.filter((name) => !leaving.includes(name));
    if (leaving.length === 0 || staying.length === 0) return [];
    const { code, stdout, stderr } = await remote.script(
      SCRIPT,
      [mode, staying.map(url).join(' '), ...leaving.flatMap((name) => [name, url(name)])],
      { okCodes: 'any', timeoutMs: leaving.length * 75_000 + 30_000 },
    );
    if (code !== 0)
      fail('ETCD_UNHEALTHY', `the members of ${leaving.join(', ')} could not leave etcd`, `${stdout}${stderr}`);
    return [...stdout.matchAll(/^(moved|removed) (\S+) (.*)$/gm)].map(([, verb, name = '', detail = '']) => ({
      resource: `etcd-member:${name}`,
      action: verb === 'removed' ? 'remove' : 'run',
      detail,
    }));
  },
});

/**
 * Arguments: mode, URLs of the members that stay (words), then name and URL of each that leaves. Those that do not answer
 * leave first: that never takes a vote from the majority. Each is removed only while more than half of those who vote afterwards are
 * healthy, for up to a minute; etcd itself refuses as well what would endanger the majority. A member that is not listed has left.
 * What changes members is asked by gRPC: etcd's JSON gateway ignores who a certificate names, and where etcd has users it refuses that.
 */
const SCRIPT = `set +eu
mode=$1 staying=$2
shift 2
${ETCD_FIELD}${ETCD_BY_ID}
ask() { ${CURL} -sS -m 5 --cacert ${KUBERNETES_PKI}/etcd-ca.crt --cert ${KUBERNETES_PKI}/apiserver-etcd-client.crt --key ${KUBERNETES_PKI}/apiserver-etcd-client.key "$@"; }
well() { case $(ask "$1/health" 2>/dev/null) in *'"health":"true"'*) return 0 ;; esac; return 1; }
status() { ask -d '{}' "$1/v3/maintenance/status" 2>/dev/null; }
# The first member that stays and is well; what it lists, a member a line.
look() {
  via= list=
  for url in $staying; do if well "$url"; then via=$url; break; fi; done
  [ -n "$via" ] || { says='no member that stays is healthy'; return 1; }
  says=$(ask -d '{}' "$via/v3/cluster/member/list" 2>&1)
  case $says in *'"members"'*) ;; *) return 1 ;; esac
  list=$(printf '%s' "$says" | sed 's/.*"members":\\[//' | sed 's/"ID"/\\
"ID"/g' | grep '^"ID"')
}
id_of() { printf '%s\\n' "$list" | grep -F "\\"$1\\"" | sed -n 's/^"ID":"\\([0-9]*\\)".*/\\1/p'; }
# The leader leaves: the member that stays, is well and has the newest log takes over.
hand_over() {
  best= most=0
  for url in $staying; do
    well "$url" || continue
    said=$(status "$url") index=$(etcd_field "$said" raftAppliedIndex)
    [ "\${index:-0}" -lt "$most" ] || { most=$index best=$(etcd_field "$said" member_id) at=$url; }
  done
  # Only the leader itself hands over.
  says=$(via=$2; etcd_by_id /etcdserverpb.Maintenance/MoveLeader "$best" ask 2>&1)
  [ "$(etcd_field "$(status "$at")" leader)" = "$best" ] && echo "moved $1 leadership handed over to \${at#https://}"
}
step() {
  look || return 1
  id=$(id_of "$2")
  [ -n "$id" ] || { result=left; return 0; }
  size=0 up=0
  for url in $(printf '%s\\n' "$list" | grep -v '"isLearner":true' | sed -n 's/.*"clientURLs":\\["\\([^"]*\\)".*/\\1/p'); do
    [ "$url" != "$2" ] || continue
    size=$((size + 1))
    ! well "$url" || up=$((up + 1))
  done
  says="$up of the $size members that would vote without $1 are healthy, a majority is $((size / 2 + 1))"
  [ "$up" -ge $((size / 2 + 1)) ] || return 1
  if [ "$(etcd_field "$(status "$via")" leader)" = "$id" ]; then hand_over "$1" "$2" || return 1; fi
  says=$(etcd_by_id /etcdserverpb.Cluster/MemberRemove "$id" ask 2>&1)
  case $says in *'grpc-status: 0'*) result=removed; return 0 ;; esac
  return 1
}
remove() {
  if [ "$mode" = check ]; then echo "removed $1 leaves etcd"; return 0; fi
  deadline=$(($(date +%s) + 60))
  until step "$1" "$2"; do
    [ "$(date +%s)" -lt "$deadline" ] || { echo "$1: $says" >&2; exit 1; }
    sleep 0.5
  done
  [ "$result" = left ] || echo "removed $1 left etcd, $size members stay"
}
down= alive=
while [ $# -gt 1 ]; do
  if [ "$mode" = apply ] && ! well "$2"; then down="$down $1 $2"; else alive="$alive $1 $2"; fi
  shift 2
done
set -- $down $alive
while [ $# -gt 1 ]; do
  remove "$1" "$2"
  shift 2
done
`;
