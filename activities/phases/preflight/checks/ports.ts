import { requiredPorts } from '../../required.ts';
import { type CheckHost, defineCheck } from '../check.ts';

/** Port, as the probe says it → the binaries that may hold it, on this host, the one that is to first. */
const portsOf = ({ requirements }: CheckHost): Map<string, readonly string[]> =>
  new Map(
    requiredPorts(requirements).flatMap(({ protocol, port, holder, alsoHeldBy = [] }) =>
      holder === undefined
        ? []
        : [[protocol === 'udp' ? `${port}/udp` : String(port), [holder, ...alsoHeldBy]] as const],
    ),
  );

export default defineCheck({
  name: 'ports',
  about: 'network',
  title: 'Listening ports',
  inspects:
    '`ss -l -t -u -n -p`, on every host: the ports of its phases ([phases.md](phases.md)) must be free, or used by a program of Kubewright.',
  codes: ['PORT_IN_USE'],
  probe: {
    script: `
command -v ss >/dev/null || return 0
ss -H -l -t -u -n -p 2>/dev/null | while read -r protocol _ _ _ local _ process; do
  port=\${local##*:}
  [ "$protocol" != udp ] || port=$port/udp
  case " $1 " in *" $port "*) ;; *) continue ;; esac
  socket=$((\${socket:-0} + 1))
  case $process in *pid=*) ;; *) say "$port" "$local" '?' '?' '?' "$socket" ;; esac
  while :; do
    case $process in *'("'*pid=*) ;; *) break ;; esac
    name=\${process#*'("'} process=\${name#*pid=} name=\${name%%'"'*} pid=\${process%%[!0-9]*}
    exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || exe='?'
    say "$port" "$local" "\${pid:-?}" "\${name:-?}" "$exe" "$socket"
  done
done`,
    args: (of) => [[...portsOf(of).keys()].join(' ')],
  },
  evaluate(of, rows) {
    const ports = portsOf(of);
    const sockets = Map.groupBy(rows, ([port, local, , , , socket]) => `${port} ${local} ${socket}`);
    return [...sockets.values()].flatMap((holders) => {
      const [port = '', local, pid, name, exe = ''] = holders[0]!;
      const ours = ports.get(port);
      // More than one process holds a socket while its server starts a program: until `exec` has closed it, a child of the
      // proxy that is /usr/sbin/nft already has it too. A binary that was upgraded under its running process is `(deleted)`.
      const held = holders.some(([, , , , each = '']) => ours?.includes(each.replace(/ \(deleted\)$/, '')));
      if (ours === undefined || held) return [];
      const evidence = `ss: ${local} ${name} pid=${pid} ${exe}; wanted for ${ours[0] ?? ''}`;
      return [{ code: 'PORT_IN_USE' as const, message: `port ${port} is taken by ${name} (pid ${pid})`, evidence }];
    });
  },
});
