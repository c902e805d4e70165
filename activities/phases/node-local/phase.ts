import { z } from 'zod';
import { type ClusterSpec, hostsWithRole, internalAddress, kubeHosts } from '../../../contracts/cluster.ts';
import type { FieldIssue } from '../../../contracts/issues.ts';
import type { Change } from '../../../contracts/operation.ts';
import { CURL } from '../../host/direct.ts';
import { familyOf } from '../../host/family/families.ts';
import * as identities from '../../kube/identities.ts';
import { WAIT_URL, waitUrl } from '../../kube/lib.ts';
import { API_SERVER_PORT, KUBERNETES_DIR } from '../../kube/paths.ts';
import { directServers } from '../../kube/proxy.ts';
import { apiServerProxy, HAPROXY_FILLS } from '../../render/haproxy.ts';
import { daemonUnit } from '../../render/unit.ts';
import { digestOfParts } from '../../resources/digest.ts';
import { directory } from '../../resources/directory.ts';
import { CANDIDATE, file } from '../../resources/file.ts';
import { packages } from '../../resources/packages.ts';
import { plainText, secretText } from '../../resources/resource.ts';
import { service } from '../../resources/service.ts';
import { user } from '../../resources/user.ts';
import { controlPlaneEndpoint } from '../capabilities/control-plane-endpoint.ts';
import { definePhase, type PhaseContext, type PhaseRun } from '../phase.ts';
import { testIntervalMs } from './test-interval.ts';

const LOOPBACK = '127.0.0.1';
/** The API server itself has 6443 on control planes. */
const DEFAULT_PORT = 7443;
const UNIT = 'kubewright-node-local';
const USER = UNIT;
const DIR = `${KUBERNETES_DIR}/node-local`;
const CONFIG = `${DIR}/haproxy.cfg`;
const CA = `${DIR}/ca.crt`;
/** Certificate and key in one file, as haproxy reads them. */
const CLIENT = `${DIR}/health-client.pem`;
const RUN_DIR = '/run/kubewright-node-local';
const SOCKET = `${RUN_DIR}/status.sock`;
const HAPROXY = '/usr/sbin/haproxy';
const PACKAGES = ['haproxy'];
const READABLE = { mode: 0o640, group: USER };
/** One failed test of /readyz, 500 ms apart at most 100 nodes, takes a server out for new connections. */
const DRAIN_SECONDS = 2;

/**
 * A proxy on every node, through which the clients of that host reach any API server: no address has to move, and no machine has
 * to be there beside the nodes. It has its own unit, files and user, whatever else uses haproxy on the host.
 */
export default definePhase({
  name: 'node-local',
  title: 'Proxy on every node',
  hosts: 'nodes',
  offers: [
    controlPlaneEndpoint.offer(({ cluster }) => ({
      host: LOOPBACK,
      port: portOf(cluster),
      forClients: false,
      // Certificates of API servers always have it.
      certificateNames: [],
      drainSeconds: DRAIN_SECONDS,
    })),
  ],
  dependsOnAddressesOf: ['control-plane'],
  needs: [
    { phase: 'prepare', on: 'same-host' },
    { phase: 'pki', on: 'every-host' },
    // Its test is that an API server answers through it.
    { phase: 'control-plane', on: 'any-host' },
  ],
  disrupts: 'node',
  timeouts: { applyMs: 10 * 60_000, verifyMs: 2 * 60_000 },
  expectedMs: 8_000,
  keepsRunning: { units: [UNIT] },
  options: z.strictObject({}),
  specIssues: ({ cluster }) => hostIssues(cluster),
  folders: () => [{ path: DIR }],
  requires: ({ cluster }) => ({
    deferredPackages: PACKAGES,
    ports: [
      {
        ...{ protocol: 'tcp', port: portOf(cluster), what: 'the proxy on every node', holder: HAPROXY, from: [] },
        setting: 'spec.controlPlane.endpoint.port',
      },
    ],
  }),
  resources: async (context) => {
    const { cluster, host, pki } = context;
    const { ca, cert, key } = await pki.leaf(identities.healthClient(host));
    const render = (digest: string) => configOf(context, digest);
    return [
      packages(PACKAGES, directServers(cluster), { fills: HAPROXY_FILLS }),
      user(USER),
      waitUrl(),
      directory(KUBERNETES_DIR),
      directory(DIR),
      file(CA, ca),
      file(CLIENT, secretText(`${cert.trimEnd()}\n${plainText(key)}`), READABLE),
      file(CONFIG, render(digestOfParts([render(''), ca, cert]).slice(0, 32)), {
        check: [HAPROXY, '-c', '-q', '-f', CANDIDATE],
      }),
      service(UNIT, {
        unit: unit(portOf(cluster)),
        restartOn: [CONFIG, CA, CLIENT],
        reload: true,
        fills: HAPROXY_FILLS,
      }),
    ];
  },
  hooks: { after: stopDistributionUnit },
  async verify(run) {
    const { cluster, host, remote, fail, unitJournal } = run;
    const { ca, cert } = await run.pki.leaf(identities.healthClient(host));
    const digest = digestOfParts([configOf(run, ''), ca, cert]).slice(0, 32);
    const url = `https://${LOOPBACK}:${portOf(cluster)}/readyz`;
    const { code, stderr } = await remote.script(CHECK, [SOCKET, digest, WAIT_URL, url, CA, CLIENT], {
      timeoutMs: 100_000,
      okCodes: 'any',
    });
    if (code === 0) return;
    fail(
      'VERIFY_FAILED',
      `the proxy on ${host.name} leads to no API server that is ready`,
      `${stderr}\n${await unitJournal(`${UNIT}.service`, 12)}`,
    );
  },
});

const portOf = ({ spec }: ClusterSpec): number => spec.controlPlane?.endpoint?.port ?? DEFAULT_PORT;

function hostIssues({ spec }: ClusterSpec): FieldIssue[] {
  const host = spec.controlPlane?.endpoint?.host;
  if (host === undefined || host === LOOPBACK) return [];
  const message = `is ${LOOPBACK} with provider node-local: remove it, or choose another provider`;
  return [{ path: 'spec.controlPlane.endpoint.host', message }];
}

/** An API server of the same host is preferred: the others stand in for it. */
function configOf({ cluster, host }: PhaseContext<unknown>, digest: string): string {
  const servers = hostsWithRole(cluster, 'control-plane');
  const hasOwn = servers.some(({ name }) => name === host.name);
  const intervalMs = testIntervalMs(kubeHosts(cluster).length);
  return apiServerProxy({
    ...{ bind: LOOPBACK, port: portOf(cluster), maxConnections: 1000, keepConnectionsSeconds: 300 },
    servers: servers.map((each) => ({
      name: each.name,
      address: internalAddress(each),
      standsIn: hasOwn && each.name !== host.name,
    })),
    serverPort: API_SERVER_PORT,
    test: {
      ...{ ca: CA, client: CLIENT, timeoutMs: 700, intervalMs, againMs: Math.ceil(intervalMs / 2) },
      ...{ failures: 2, successes: 2 },
    },
    ...{ statusSocket: SOCKET, digest },
  });
}

function unit(port: number): string {
  return daemonUnit({
    description: 'Proxy to the API servers',
    exec: [HAPROXY, '-Ws', '-f', CONFIG, '-p', `${RUN_DIR}/haproxy.pid`],
    service: {
      Type: 'notify',
      ExecReload: [`${HAPROXY} -c -q -f ${CONFIG}`, '/bin/kill -USR2 $MAINPID'],
      RestartSec: '100ms',
      KillMode: 'mixed',
      SuccessExitStatus: 143,
      User: USER,
      RuntimeDirectory: RUN_DIR.replace('/run/', ''),
      // SELinux of the RHEL family lets its haproxy connect to few ports only.
      SELinuxContext: '-system_u:system_r:unconfined_service_t:s0',
      ...(port < 1024 ? { AmbientCapabilities: 'CAP_NET_BIND_SERVICE' } : {}),
      CapabilityBoundingSet: port < 1024 ? 'CAP_NET_BIND_SERVICE' : '',
      NoNewPrivileges: true,
      ProtectHome: true,
      ProtectSystem: 'full',
      PrivateTmp: true,
      ProtectControlGroups: true,
      RestrictSUIDSGID: true,
      LockPersonality: true,
    },
  });
}

/**
 * Debian's package starts haproxy with its own settings when it is installed. One that was there before is another's, and on a
 * load balancer of the cluster it is that phase's.
 */
async function stopDistributionUnit({ changes, facts, host, remote }: PhaseRun<unknown>): Promise<Change[]> {
  const installed = changes.some(({ resource, action }) => resource === 'packages:haproxy' && action === 'create');
  if (!installed || !familyOf(facts).startsUnits || host.roles.includes('load-balancer')) return [];
  await remote.exec(['systemctl', 'disable', '--now', '--quiet', 'haproxy.service'], { okCodes: 'any' });
  return [{ resource: 'service:haproxy', action: 'update', detail: 'stop, disable: the package had started it' }];
}

/** `<socket> <digest> <wait-url> <url> <ca> <client>`: the configuration is loaded, then an API server answers through it. */
const CHECK = `
deadline=$(($(date +%s) + 20))
until loaded=$(${CURL} -s -m 2 --unix-socket "$1" http://localhost/config 2>&1) && [ "$loaded" = "$2" ]; do
  if [ "$(date +%s)" -ge "$deadline" ]; then
    echo "the proxy has not loaded its configuration: at $1 it answers '$loaded', not $2" >&2
    exit 1
  fi
  sleep 0.2
done
"$3" 60 "$4" "$5" "$6" "$6"
`;
