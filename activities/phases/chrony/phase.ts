import { z } from 'zod';
import { hostsWithRole, internalAddress } from '../../../contracts/cluster.ts';
import { cidr, hostname, ipv4 } from '../../../contracts/primitives.ts';
import { familyOf, unitName } from '../../host/family/families.ts';
import { isContainer } from '../../kube/container-host.ts';
import { directServers } from '../../kube/proxy.ts';
import { systemdUnit } from '../../render/unit.ts';
import { directory } from '../../resources/directory.ts';
import { file } from '../../resources/file.ts';
import { packages } from '../../resources/packages.ts';
import { service } from '../../resources/service.ts';
import { definePhase, type PhaseContext } from '../phase.ts';
import type { RequiredPort } from '../requires.ts';
import { chronyConf, chronyEnvironment } from './config.ts';

/** A folder that Debian's AppArmor profile lets chronyd read. */
const DIRECTORY = '/etc/chrony';
const CONFIG = `${DIRECTORY}/kubewright.conf`;
const ENVIRONMENT = `${DIRECTORY}/kubewright.env`;

const PACKAGES = ['chrony'];
/** NTP of the time servers. */
const TIME: RequiredPort = { protocol: 'udp', port: 123, what: 'chronyd', from: ['all'], on: 'time-server' };

const options = z.strictObject({
  provider: z
    .enum(['chrony', 'none'])
    .default('chrony')
    .describe('chrony: Kubewright runs chronyd; none: another service synchronizes the clocks'),
  pool: z
    .array(z.union([hostname, ipv4]))
    .max(8)
    .default(['pool.ntp.org'])
    .describe('NTP servers of the time servers, or of all hosts when the cluster has no time server'),
  allow: cidr.optional().describe('Networks that the time servers answer; default: the hosts of the cluster'),
});

/** One time in the whole cluster: hosts follow its time servers, and those the pool where it can be reached. */
export default definePhase({
  name: 'chrony',
  title: 'Time synchronisation',
  hosts: 'all',
  allowlistsPeers: 'time-server',
  dependsOnAddressesOf: ['time-server'],
  needs: [{ phase: 'prepare', on: 'same-host' }],
  timeouts: { applyMs: 5 * 60_000, verifyMs: 60_000 },
  expectedMs: 3_000,
  options,
  requires: () => ({ packages: PACKAGES, ports: [TIME] }),
  // With provider `none` another service answers there.
  requiresWhenOff: () => ({ ports: [TIME] }),
  // The second is that of the package.
  folders: () => [{ path: DIRECTORY }, { path: '/var/lib/chrony' }],
  enabled: (_cluster, { provider }) => provider === 'chrony',
  resources: (context) => {
    const { facts } = context;
    const family = familyOf(facts);
    const steersClock = !isContainer(facts);
    return [
      // Before the package: Debian starts a daemon as soon as it is installed.
      directory(DIRECTORY),
      file(CONFIG, chronyConf({ ...sourcesOf(context), steersClock })),
      file(ENVIRONMENT, chronyEnvironment({ configFile: CONFIG, steersClock, options: family.unitOptions.chrony })),
      packages(PACKAGES, directServers(context.cluster)),
      service(unitName(family, 'chrony'), {
        dropIns: { 'kubewright.conf': systemdUnit({ Service: { EnvironmentFile: ENVIRONMENT } }) },
        restartOn: [CONFIG, ENVIRONMENT],
      }),
    ];
  },
  async verify({ cluster, host, remote, fail }) {
    const followed = timeServers(cluster, host).map(internalAddress);
    const result = await remote.script(WAIT, [followed.length > 0 ? 'selected' : 'running']);
    if (!result.stdout.startsWith('ready')) {
      fail('VERIFY_FAILED', `chronyd does not follow ${followed.join(' or ') || 'anything'}`, result.stdout);
    }
  },
});

/**
 * Waits until chronyd answers and, for the word `selected`, follows one of its sources. A time server, and a host
 * that follows a pool, only has to run: the pool may be out of reach for good.
 */
const WAIT = `
tries=0
until sources=$(chronyc -n -c sources 2>&1) && { [ "$1" = running ] || printf '%s' "$sources" | grep -q '^[^,]*,[*],'; }; do
  tries=$((tries + 1))
  if [ "$tries" -gt 150 ]; then
    printf '%s\\n' "$sources"
    chronyc -n tracking 2>&1 || true
    exit 0
  fi
  sleep 0.2
done
echo ready
`;

function timeServers(cluster: PhaseContext<unknown>['cluster'], host: PhaseContext<unknown>['host']) {
  const servers = hostsWithRole(cluster, 'time-server');
  // A time server follows the pool and its peers, not the others as a client.
  return servers.some((each) => each.name === host.name) ? [] : servers;
}

function sourcesOf({ cluster, host, options: { pool, allow } }: PhaseContext<z.output<typeof options>>) {
  const servers = hostsWithRole(cluster, 'time-server');
  const followed = timeServers(cluster, host).map(internalAddress);
  if (followed.length > 0) return { servers: followed, peers: [], pools: [], allow: [] };
  const isServer = servers.length > 0;
  return {
    servers: [],
    peers: isServer ? servers.filter((each) => each.name !== host.name).map(internalAddress) : [],
    pools: pool,
    allow: isServer ? (allow === undefined ? cluster.spec.hosts.map(internalAddress) : [allow]) : [],
  };
}
