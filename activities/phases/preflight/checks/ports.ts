import type { ClusterSpec } from '../../../../contracts/cluster.ts';
import type { Host, Role } from '../../../../contracts/host.ts';
import * as paths from '../../../kube/paths.ts';
import { runsPods } from '../../placement.ts';
import { defineCheck } from '../check.ts';

/** Port → the binary of ours that may hold it, on this host. */
function portsOf({ host }: { cluster: ClusterSpec; host: Host }): Map<number, string> {
  const has = (role: Role) => host.roles.includes(role);
  const ports = new Map<number, string>();
  const port = (binary: string, ...numbers: number[]) => {
    for (const number of numbers) ports.set(number, `${paths.BIN_DIR}/${binary}`);
  };
  if (has('etcd')) port('etcd', paths.ETCD_CLIENT_PORT, paths.ETCD_PEER_PORT);
  if (has('registry')) port('registry', paths.REGISTRY_PORT);
  if (has('control-plane')) {
    port('kube-apiserver', paths.API_SERVER_PORT);
    port('kube-controller-manager', paths.CONTROLLER_MANAGER_PORT);
    port('kube-scheduler', paths.SCHEDULER_PORT);
  }
  if (runsPods(host)) {
    port('kubelet', paths.KUBELET_PORT, paths.KUBELET_HEALTH_PORT);
    port('kube-proxy', paths.KUBE_PROXY_METRICS_PORT, paths.KUBE_PROXY_HEALTH_PORT);
  }
  return ports;
}

export default defineCheck({
  name: 'ports',
  about: 'network',
  title: 'Listening ports',
  inspects: '`ss -l -t -n -p`, on every host: the ports of its roles are free, or held by the binary of ours.',
  codes: ['PORT_IN_USE'],
  probe: {
    script: `
command -v ss >/dev/null || return 0
ss -H -l -t -n -p 2>/dev/null | while read -r _ _ _ local _ process; do
  port=\${local##*:}
  case " $1 " in *" $port "*) ;; *) continue ;; esac
  name=\${process#*'(("'} name=\${name%%'"'*}
  pid=\${process#*pid=} pid=\${pid%%[!0-9]*}
  exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || exe='?'
  say "$port" "$local" "\${pid:-?}" "\${name:-?}" "$exe"
done`,
    args: (of) => [[...portsOf(of).keys()].join(' ')],
  },
  evaluate(of, rows) {
    const ports = portsOf(of);
    return rows.flatMap(([text, local, pid, name, exe = '']) => {
      const port = Number(text);
      const ours = ports.get(port);
      // A binary that was upgraded under its running process.
      if (ours === undefined || exe.replace(/ \(deleted\)$/, '') === ours) return [];
      const evidence = `ss: ${local} ${name} pid=${pid} ${exe}; wanted for ${ours}`;
      return [{ code: 'PORT_IN_USE' as const, message: `port ${port} is taken by ${name} (pid ${pid})`, evidence }];
    });
  },
});
