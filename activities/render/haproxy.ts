/**
 * What packages and units of the distributions make, some of it when they are installed: the root of the workers with their log
 * socket, the folder of the admin socket, the socket of the master and its number.
 */
export const HAPROXY_FILLS = ['/var/lib/haproxy', '/run/haproxy', '/run/haproxy-master.sock', '/run/haproxy.pid'];

/** haproxy in front of the API servers: of many clients on a balancer, or of the clients of one node. */
export interface ApiServerProxy {
  /** Where it listens. */
  bind: string;
  port: number;
  /** Account and folder that its workers change to; absent: they stay what their unit makes them. */
  worker?: { account: string; root: string };
  maxConnections: number;
  /** Time that connections may go on with the old configuration after a reload, seconds. */
  keepConnectionsSeconds: number;
  /** In the order of the spec. `standsIn`: it gets connections while no other one is ready. */
  servers: readonly { name: string; address: string; standsIn?: boolean }[];
  serverPort: number;
  /** Tests of /readyz: paths of the authority and of certificate and key of a client that may read it; times in ms. */
  test: {
    ca: string;
    client: string;
    timeoutMs: number;
    intervalMs: number;
    /** Between tests of a server whose state may be about to change. */
    againMs: number;
    /** Tests in a row that take a server out, and that bring it back. */
    failures: number;
    successes: number;
  };
  /** Path of the socket whose page `/config` answers with `digest`, which identifies this configuration. */
  statusSocket: string;
  digest: string;
}

/**
 * The configuration, in the syntax of haproxy 2.4 and later. Tests of a server go on with a client certificate: 200 is ready; with another
 * answer it gets no new connection; where it does not answer, its connections end, so that clients connect to another one.
 */
export function apiServerProxy(proxy: ApiServerProxy): string {
  const { test, servers, serverPort } = proxy;
  const tests = [
    'check check-ssl check-sni kubernetes verifyhost kubernetes',
    `verify required ca-file ${test.ca} crt ${test.client}`,
    `inter ${test.intervalMs}ms fastinter ${test.againMs}ms downinter ${test.intervalMs}ms`,
    `fall ${test.failures} rise ${test.successes} on-marked-down shutdown-sessions`,
  ].join(' ');
  const line = ({ name, address }: (typeof servers)[number]) => `    server ${name} ${address}:${serverPort}`;
  const preferring = servers.map((each) => `${line(each)}${each.standsIn ? ' backup' : ''}`);
  const worker = proxy.worker
    ? `    user ${proxy.worker.account}
    group ${proxy.worker.account}
    chroot ${proxy.worker.root}
`
    : '';
  return `# Written by Kubewright.
global
    log stdout format raw daemon notice
${worker}    maxconn ${proxy.maxConnections}
    hard-stop-after ${proxy.keepConnectionsSeconds}s
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
    timeout check ${test.timeoutMs}ms
    timeout client 4h
    timeout server 4h
    default-server init-addr last,libc,none

frontend kubernetes
    bind ${proxy.bind}:${proxy.port}
    default_backend ready
    # Better an API server that is not ready than none.
    use_backend alive unless { nbsrv(ready) gt 0 }

backend ready
    balance leastconn
${servers.some(({ standsIn }) => standsIn) ? '    option allbackups\n' : ''}    option httpchk GET /readyz
    http-check expect status 200 error-status L7OKC
    default-server tcp-ut 3s ${tests}
${preferring.join('\n')}

backend alive
    balance leastconn
    default-server tcp-ut 3s
${servers.map(line).join('\n')}

frontend status
    mode http
    bind unix@${proxy.statusSocket} mode 600
    timeout client 5s
    http-request return status 200 content-type text/plain string ${proxy.digest} if { path /config }
    stats enable
    stats uri /
`;
}
