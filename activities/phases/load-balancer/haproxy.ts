import { CANDIDATE } from '../../resources/file.ts';
import { type Balancing, CHECK, type Flavour } from './flavour.ts';
import { CA, HEALTH_PEM, STATUS_SOCKET } from './paths.ts';

/** A check with a client certificate: `200` is ready; another answer drains; silence is down, and ends what is connected. */
const CHECKS = [
  'check check-ssl check-sni kubernetes verifyhost kubernetes',
  `verify required ca-file ${CA} crt ${HEALTH_PEM}`,
  `inter ${CHECK.intervalMs}ms fastinter ${CHECK.againMs}ms downinter ${CHECK.intervalMs}ms`,
  `fall ${CHECK.failures} rise ${CHECK.successes} on-marked-down shutdown-sessions`,
].join(' ');

function render({ port, servers, serverPort, maxConnections, keepConnectionsSeconds, digest }: Balancing): string {
  const list = servers.map(({ name, address }) => `    server ${name} ${address}:${serverPort}`);
  return `# Written by Kubewright.
global
    log stdout format raw daemon notice
    user haproxy
    group haproxy
    chroot /var/lib/haproxy
    maxconn ${maxConnections}
    hard-stop-after ${keepConnectionsSeconds}s
    mworker-max-reloads 20
    ssl-default-server-options ssl-min-ver TLSv1.2

defaults
    mode tcp
    log global
    option dontlognull
    option redispatch 1
    retries 3
    # A peer that is gone answers no probe; idle watches do.
    option clitcpka
    clitcpka-idle 30s
    clitcpka-intvl 10s
    clitcpka-cnt 3
    option srvtcpka
    srvtcpka-idle 1s
    srvtcpka-intvl 1s
    srvtcpka-cnt 3
    timeout connect 1s
    timeout check ${CHECK.timeoutMs}ms
    timeout client 4h
    timeout server 4h
    default-server init-addr last,libc,none

frontend kubernetes
    bind 0.0.0.0:${port}
    default_backend ready
    # Better an API server that is not ready than none.
    use_backend alive unless { nbsrv(ready) gt 0 }

backend ready
    balance leastconn
    option httpchk GET /readyz
    http-check expect status 200 error-status L7OKC
    default-server tcp-ut 3s ${CHECKS}
${list.join('\n')}

backend alive
    balance leastconn
    default-server tcp-ut 3s
${list.join('\n')}

frontend status
    mode http
    bind unix@${STATUS_SOCKET} mode 600
    timeout client 5s
    http-request return status 200 content-type text/plain string ${digest} if { path /config }
    stats enable
    stats uri /
`;
}

export const haproxy: Flavour = {
  name: 'haproxy',
  packages: { apt: ['haproxy'], dnf: ['haproxy'], deferred: true },
  unit: 'haproxy',
  program: '/usr/sbin/haproxy',
  configFile: '/etc/haproxy/haproxy.cfg',
  check: ['haproxy', '-c', '-q', '-f', CANDIDATE],
  render,
  service: { KillMode: 'mixed' },
  selinux: ['haproxy_connect_any'],
};
