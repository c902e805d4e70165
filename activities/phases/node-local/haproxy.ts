/** A control plane as the proxy sees it. */
export interface Server {
  name: string;
  address: string;
  /** It is on the same host: the others stand in for it. */
  isLocal: boolean;
}

/** What the configuration of the proxy is made of. */
export interface Proxy {
  port: number;
  /** In the order of the spec. */
  servers: readonly Server[];
  serverPort: number;
  /** Nodes of the cluster: each tests every API server. */
  nodes: number;
  ca: string;
  /** Certificate and key of a client that may read /readyz and nothing else. */
  client: string;
  socket: string;
  /** Identifies this configuration in the answer at the socket. */
  digest: string;
}

/** Time between two tests of a server, ms; beyond 100 nodes longer, for API servers to spend no more on tests than with 100. */
export const testIntervalMs = (nodes: number): number => Math.max(500, 5 * nodes);

/**
 * haproxy in front of the API servers, for the clients of one host. A server that fails two tests is down, and its connections end,
 * so that clients connect to another one; one whose /readyz fails gets no new connections. Syntax of haproxy 2.4 and later.
 */
export function proxyConfig({ port, servers, serverPort, nodes, ca, client, socket, digest }: Proxy): string {
  const interval = testIntervalMs(nodes);
  const hasLocal = servers.some(({ isLocal }) => isLocal);
  const line = ({ name, address }: Server) => `    server ${name} ${address}:${serverPort}`;
  const preferring = servers.map((each) => `${line(each)}${hasLocal && !each.isLocal ? ' backup' : ''}`);
  return `# Written by Kubewright.
global
    log stdout format raw daemon notice
    maxconn 1000
    hard-stop-after 5m
    mworker-max-reloads 20
    ssl-default-server-options ssl-min-ver TLSv1.2

defaults
    mode tcp
    log global
    option dontlognull
    option redispatch 1
    retries 3
    timeout connect 1s
    timeout check 700ms
    timeout client 4h
    timeout server 4h
    option srvtcpka
    default-server init-addr last,libc,none tcp-ut 3s

frontend endpoint
    bind 127.0.0.1:${port}
    default_backend ready
    # An API server that is not ready is better than none.
    use_backend alive unless { nbsrv(ready) gt 0 }

backend ready
    balance leastconn
    option allbackups
    option httpchk GET /readyz
    http-check expect status 200 error-status L7OKC
    default-server check check-ssl check-sni kubernetes verifyhost kubernetes verify required ca-file ${ca} crt ${client}
    default-server inter ${interval}ms fastinter ${Math.ceil(interval / 2)}ms downinter ${interval}ms fall 2 rise 2 on-marked-down shutdown-sessions
${preferring.join('\n')}

backend alive
    balance leastconn
${servers.map(line).join('\n')}

frontend status
    mode http
    bind unix@${socket} mode 600
    timeout client 5s
    http-request return status 200 content-type text/plain string ${digest}
`;
}
