import { OURS } from '../../../leftovers/scripts.ts';
import { toolOf } from '../../../leftovers/tools.ts';
import type { PhaseRequirements } from '../../requires.ts';
import { defineCheck } from '../check.ts';
import { walMember } from '../wal-member.ts';

/** The member that a phase runs on the host; a host has one at most. */
const dataOf = (requirements: readonly PhaseRequirements[]) => requirements.find(({ etcdData }) => etcdData)?.etcdData;

export default defineCheck({
  name: 'etcd-data',
  about: 'leftovers',
  title: 'Data of an earlier etcd',
  inspects:
    "The folder `member` in etcd's data folder (`spec.phases.etcd.dataDir`), through links, on etcd hosts where the phase that runs etcd has not begun before.",
  codes: ['ETCD_DATA_FOUND'],
  probe: {
    script: `
${OURS}
! ours "$2" || return 0
set -- "\${1%/}"
newest=$(find "$1/member/" -type f -printf '%T@ %s %p\\n' 2>/dev/null | sort -rn | head -n 1)
[ -n "$newest" ] || return 0
path=\${newest#* *[0-9] }
say data "$(readlink -f "$1/member")" "\${newest%% *}" "$path" "$(du -sk "$1/member/" 2>/dev/null | cut -f 1)"
for wal in "$1"/member/wal/*.wal; do [ -e "$wal" ] && last=$wal; done
[ -z "\${last:-}" ] || say wal "$(od -An -v -tx1 -N 128 "$last" 2>/dev/null | tr -d ' \\n')"
for file in /etc/kubernetes/manifests/etcd.yaml /etc/etcd.env /etc/etcd/etcd.conf /etc/default/etcd /etc/systemd/system/etcd.service /usr/lib/systemd/system/etcd.service /lib/systemd/system/etcd.service; do
  [ ! -e "$file" ] || say file "$file" "$(owner "$file")"
done
name=$(grep -hsE '^ *(ETCD_NAME=|- --name=)' /etc/etcd.env /etc/etcd/etcd.conf /etc/default/etcd /etc/kubernetes/manifests/etcd.yaml | head -n 1 | sed 's/.*=//')
[ -z "$name" ] || say name "$name"
return 0`,
    args: ({ requirements }) => {
      const data = dataOf(requirements);
      return data ? [data.folder, data.writtenBy] : null;
    },
  },
  evaluate(of, rows) {
    const row = (kind: string) => rows.find(([word]) => word === kind)?.slice(1);
    const data = row('data');
    const { folder, setting } = dataOf(of.requirements) ?? {};
    if (!data || folder === undefined) return [];
    const [real = '', seconds = '', newest = '', kib = ''] = data;
    const asked = `${folder.replace(/\/$/, '')}/member`;
    const at = real === '' || real === asked ? asked : `${asked} (really ${real})`;
    const writtenMs = Number(seconds) * 1000;
    const written =
      Number.isFinite(writtenMs) && Math.abs(writtenMs) < 8.64e15
        ? `last written ${new Date(writtenMs).toISOString()} (${ageOf(of.askedAtMs - writtenMs)} ago)`
        : 'last written at an unknown time';
    const ids = walMember(row('wal')?.[0] ?? '');
    const files = rows.filter(([word]) => word === 'file').map(([, path = '', owner = '-']) => ({ path, owner }));
    const tool = toolOf(...files.map(({ path }) => path));
    const lines = [
      `${newest.replace('//', '/')}, ${kib} KiB in all`,
      ids ? `member ${ids.member} of the etcd cluster ${ids.cluster}` : '',
      row('name') ? `its name: ${row('name')![0]}` : '',
      files.length > 0
        ? `beside it: ${files.map(({ path, owner }) => (owner === '-' ? path : `${path} (package ${owner})`)).join(', ')}${tool ? `, of ${tool.name}` : ''}`
        : '',
      `to keep it: another folder (${setting}), or mv ${real || asked} elsewhere; to give it up: ${tool ? `${tool.clean}, or ` : ''}rm -rf ${real || asked}`,
    ];
    return [
      {
        code: 'ETCD_DATA_FOUND',
        message: `${at} has the data of an earlier etcd, ${written}`,
        evidence: lines.filter((line) => line !== '').join('\n'),
      },
    ];
  },
});

function ageOf(ms: number): string {
  const hours = Math.max(ms, 0) / 3_600_000;
  if (hours < 1) return `${Math.round(hours * 60)} minutes`;
  return hours < 72 ? `${Math.round(hours)} hours` : `${Math.round(hours / 24)} days`;
}
