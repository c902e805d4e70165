import { apiServerProxy, HAPROXY_FILLS } from '../../render/haproxy.ts';
import { CANDIDATE } from '../../resources/file.ts';
import { CHECK, type Flavour } from './flavour.ts';
import { CA, HEALTH_PEM, STATUS_SOCKET } from './paths.ts';

export const haproxy: Flavour = {
  name: 'haproxy',
  packages: ['haproxy'],
  unit: 'haproxy',
  program: '/usr/sbin/haproxy',
  fills: HAPROXY_FILLS,
  configFile: '/etc/haproxy/haproxy.cfg',
  check: ['haproxy', '-c', '-q', '-f', CANDIDATE],
  render: (balancing) =>
    apiServerProxy({
      ...balancing,
      bind: '0.0.0.0',
      worker: { account: 'haproxy', root: '/var/lib/haproxy' },
      test: { ca: CA, client: HEALTH_PEM, ...CHECK },
      statusSocket: STATUS_SOCKET,
    }),
  service: { KillMode: 'mixed' },
  selinux: ['haproxy_connect_any'],
};
