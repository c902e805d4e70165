import { CANDIDATE } from '../../resources/file.ts';
import type { Balancing, Flavour } from './flavour.ts';
import { RUN_DIR, STATUS_SOCKET } from './paths.ts';

/** Of the tests of `balancer-health`: the API servers that are ready, and the port that leads to them. */
export const READY_SERVERS = `${RUN_DIR}/ready.conf`;
export const READY_TARGET = `${RUN_DIR}/target.map`;
/** How a failed connection counts until the tests know of it. */
export const PASSIVE = 'max_fails=1 fail_timeout=2s';

function render(balancing: Balancing): string {
  const { port, servers, serverPort, maxConnections, keepConnectionsSeconds, family, digest } = balancing;
  return `# Written by Kubewright.
load_module ${family.paths.nginxModules}/ngx_stream_module.so;
user ${family.accounts.nginx};
worker_processes auto;
# Two for each connection.
worker_rlimit_nofile ${2 * maxConnections + 1000};
worker_shutdown_timeout ${keepConnectionsSeconds}s;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log warn;

events {
    worker_connections ${2 * maxConnections};
}

stream {
    access_log off;

    upstream all {
        least_conn;
${servers.map(({ address }) => `        server ${address}:${serverPort} ${PASSIVE};`).join('\n')}
    }
    # Written by kubewright-balancer-health; none before its first test.
    include ${READY_SERVERS.replace('.conf', '*.conf')};
    map $server_port $servers {
        default all;
        include ${READY_TARGET.replace('.map', '*.map')};
    }

    server {
        listen 0.0.0.0:${port} so_keepalive=30s:10s:3;
        proxy_pass $servers;
        proxy_connect_timeout 1s;
        proxy_next_upstream_tries ${Math.max(servers.length, 2)};
        proxy_next_upstream_timeout 5s;
        proxy_socket_keepalive on;
        proxy_timeout 4h;
    }
}

http {
    access_log off;

    server {
        listen unix:${STATUS_SOCKET};
        location = /config {
            default_type text/plain;
            return 200 ${digest};
        }
    }
}
`;
}

export const nginx: Flavour = {
  name: 'nginx',
  packages: ['nginx', 'libnginx-mod-stream'],
  unit: 'nginx',
  program: '/usr/sbin/nginx',
  fills: ['/var/lib/nginx', '/var/log/nginx'],
  configFile: '/etc/nginx/nginx.conf',
  check: ['nginx', '-t', '-q', '-c', CANDIDATE],
  render,
  service: {
    // A socket that a killed nginx left keeps the next one from starting.
    ExecStartPre: `-/bin/rm -f ${STATUS_SOCKET}`,
    KillMode: 'mixed',
    TimeoutStopSec: 10,
  },
  selinux: ['httpd_can_network_connect', 'httpd_setrlimit'],
};
