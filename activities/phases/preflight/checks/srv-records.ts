import dnsPacket, { type SrvAnswer } from 'dns-packet';
import type { RequiredSrv } from '../../requires.ts';
import { type CheckHost, defineCheck } from '../check.ts';

/** The records that the host has to see. */
const recordsOf = ({ requirements }: CheckHost): RequiredSrv[] =>
  requirements.flatMap(({ srvRecords = [] }) => srvRecords);

/** A question for SRV records as hexadecimal digits. The id is fixed: the answer comes back on a connection of its own. */
const questionOf = (name: string): string =>
  dnsPacket
    .encode({ type: 'query', id: 1, flags: dnsPacket.RECURSION_DESIRED, questions: [{ type: 'SRV', name }] })
    .toString('hex');

const textOf = ({ host, port }: { host: string; port: number }): string => `${host}:${port}`;
const problem = (message: string, evidence: string) => ({ code: 'SRV_RECORDS_WRONG' as const, message, evidence });

/** What the host's resolver answers: targets in text, or why there are none. */
function targetsOf(hex: string): { targets: string[] } | { why: string } {
  try {
    const { rcode, answers = [] } = dnsPacket.decode(Buffer.from(hex, 'hex')) as ReturnType<typeof dnsPacket.decode> & {
      rcode?: string;
    };
    const found = answers.filter((each): each is SrvAnswer => each.type === 'SRV');
    if (found.length === 0) return { why: `there are no such records (${rcode ?? 'NOERROR'})` };
    const canonical = (target: string) => target.toLowerCase().replace(/\.$/, '');
    return { targets: found.map(({ data }) => textOf({ host: canonical(data.target), port: data.port ?? 0 })).sort() };
  } catch {
    return { why: 'the answer of the name server is malformed' };
  }
}

export default defineCheck({
  name: 'srv-records',
  about: 'network',
  title: 'SRV records',
  inspects:
    'DNS SRV records that the phases of the host require ([phases.md](phases.md)), asked of the first name server of /etc/resolv.conf that answers, and the addresses of their targets (`getent ahostsv4`): just the hosts of the spec. Not asked where the host has data already.',
  codes: ['SRV_RECORDS_WRONG'],
  probe: {
    // Only bash reaches a name server without a tool that minimal systems lack. TCP: answers of any length, one connection each.
    script: `
asks='
  server=$1 question=$2
  exec 3<>"/dev/tcp/$server/53" || exit 1
  size=$(( \${#question} / 2 ))
  printf "$(printf "%04x%s" "$size" "$question" | sed "s/../\\\\\\\\x&/g")" >&3
  length=$(dd bs=1 count=2 status=none <&3 | od -An -v -tx1 | tr -d " \\n")
  [ \${#length} = 4 ] || exit 1
  dd bs=1 count=$(( 16#$length )) status=none <&3 | od -An -v -tx1 | tr -d " \\n"
'
for record; do
  name=\${record%%,*} rest=\${record#*,} question=\${rest%%,*} rest=\${rest#*,} unless=\${rest%%,*} targets=\${rest#*,}
  if [ "$unless" != - ] && [ -e "$unless" ]; then continue; fi
  says= server=
  for server in $(sed -n 's/^nameserver[[:space:]]\\{1,\\}\\([^[:space:]#;]*\\).*/\\1/p' /etc/resolv.conf | head -n 3); do
    says=$(timeout 5 bash -c "$asks" ask "$server" "$question" 2>/dev/null) && [ -n "$says" ] && break
    says=
  done
  if [ -n "$says" ]; then say "$name" answer "$server" "$says"; else say "$name" none "\${server:-no name server}"; fi
  for target in $(printf %s "$targets" | tr + ' '); do
    say "$name" address "$target" $(timeout 5 getent ahostsv4 "$target" | cut -d ' ' -f 1 | sort -u)
  done
done`,
    args(of) {
      const records = recordsOf(of);
      if (records.length === 0) return null;
      return records.map(({ name, targets, unless }) =>
        [name, questionOf(name), unless ?? '-', targets.map(({ host }) => host).join('+')].join(','),
      );
    },
  },
  evaluate(of, rows) {
    return recordsOf(of).flatMap(({ name, targets, reason }) => {
      const own = rows.filter(([first]) => first === name);
      // The host has its data: it does not ask any more.
      if (own.length === 0) return [];
      const [, word, server = '', hex = ''] = own.find(([, what]) => what !== 'address') ?? [];
      if (word !== 'answer') {
        return [problem(`no name server answers about ${name}`, `/etc/resolv.conf: ${server}; wanted for ${reason}`)];
      }
      const answer = targetsOf(hex);
      const wanted = targets.map(textOf).sort();
      const evidence = (is: string) => `${server}: ${name} is ${is}; wanted: ${wanted.join(', ')}, for ${reason}`;
      if ('why' in answer) return [problem(`${name}: ${answer.why}`, evidence('not there'))];
      const is = evidence(answer.targets.join(', '));
      const missing = wanted.filter((each) => !answer.targets.includes(each));
      const strange = answer.targets.filter((each) => !wanted.includes(each));
      const addresses = targets.flatMap(({ host, address }) => {
        const found = own.find(([, what, target]) => what === 'address' && target === host)?.slice(3) ?? [];
        if (address === null || found.includes(address)) return [];
        const says = found.length > 0 ? found.join(', ') : 'no address';
        return [problem(`${host} leads to ${says}, not to ${address}`, `getent ahostsv4 ${host}: ${says}`)];
      });
      return [
        ...(missing.length > 0 ? [problem(`${name} does not name ${missing.join(', ')}`, is)] : []),
        ...(strange.length > 0 ? [problem(`${name} names ${strange.join(', ')}, no host of the cluster`, is)] : []),
        ...(missing.length > 0 ? [] : addresses),
      ];
    });
  },
});
