import { z } from 'zod';
import { hostname, ipv4 } from '../../../contracts/primitives.ts';
import { familyOf, unitName } from '../../host/family/families.ts';
import { isContainer } from '../../kube/container-host.ts';
import { directServers } from '../../kube/proxy.ts';
import { systemdUnit } from '../../render/unit.ts';
import { directory } from '../../resources/directory.ts';
import { file } from '../../resources/file.ts';
import { packages } from '../../resources/packages.ts';
import { service } from '../../resources/service.ts';
import { timeSynchronization } from '../capabilities/time-synchronization.ts';
import { definePhase } from '../phase.ts';
import { timeDaemon } from '../time/daemons.ts';
import { timeProbe } from '../time/health.ts';
import { DEFAULT_POOL, type TimeOptions, timeServerOptions } from '../time/options.ts';
import { ntpPort, sourcesOf } from '../time/sources.ts';
import { type TimeDaemon, verifyTime } from '../time/verify.ts';
import { optionViews } from '../twice-set.ts';
import { chronyConf, chronyEnvironment } from './config.ts';

/** A folder that Debian's AppArmor profile lets chronyd read. */
const DIRECTORY = '/etc/chrony';
const CONFIG = `${DIRECTORY}/kubewright.conf`;
const ENVIRONMENT = `${DIRECTORY}/kubewright.env`;

/** What chronyd writes. */
const FILLED = ['/run/chrony', '/var/lib/chrony', '/var/log/chrony'];

const PACKAGES = ['chrony'];
/** NTP of the time servers. */
const TIME = ntpPort('chronyd');

const options = z.strictObject({
  provider: z
    .enum(['chrony', 'none'])
    .default('chrony')
    .describe('chrony: Kubewright runs chronyd; none: another service synchronizes the clocks'),
  pool: z
    .array(z.union([hostname, ipv4]))
    .max(8)
    .default([DEFAULT_POOL])
    .describe('Earlier form of `pools`'),
  ...timeServerOptions,
});

/** The options with `pool` of earlier versions as `pools`. */
const timeOptions = ({ pool, pools, servers, ...rest }: z.output<typeof options>): TimeOptions => {
  const isDefault = pool.length === 1 && pool[0] === DEFAULT_POOL;
  return { ...rest, servers, pools: pools ?? (isDefault && servers !== undefined ? undefined : pool) };
};

const DAEMON: TimeDaemon = {
  name: 'chronyd',
  measure: `
sources() { timeout 3 chronyc -n sources; timeout 3 chronyc -n tracking; }
measure() {
  kw_time=$(timeout 3 chronyc -n -c sources) || return 1
  printf '%s\\n' "$kw_time" | awk -F, '$2 == "*" { printf "%.3f %s\\n", $8 * 1000, $3; exit }'
}
`,
};

/** One time in the whole cluster: hosts follow its time servers, and those the pools where they can be reached. */
export default definePhase({
  name: 'chrony',
  title: 'Time synchronisation',
  hosts: 'all',
  optional: true,
  offers: [timeSynchronization.offer(() => ({}))],
  allowlistsPeers: 'time-server',
  dependsOnAddressesOf: ['time-server'],
  needs: [{ phase: 'prepare', on: 'same-host' }],
  timeouts: { applyMs: 5 * 60_000, verifyMs: 60_000 },
  expectedMs: 3_000,
  options,
  requires: () => ({ packages: PACKAGES, ports: [TIME], timeDaemon: timeDaemon('chrony', 'chronyd') }),
  // With provider `none` another service answers there.
  requiresWhenOff: () => ({ ports: [TIME] }),
  specIssues: ({ cluster }) =>
    optionViews(cluster, 'chrony').flatMap(({ options: own, place }) =>
      own['pool'] !== undefined && own['pools'] !== undefined
        ? [{ path: place('pool'), message: `${place('pools')} sets the same: remove one of the two` }]
        : [],
    ),
  healthProbe: ({ options: own, ...view }) => timeProbe(DAEMON)({ ...view, options: timeOptions(own) }),
  // The second is that of the package.
  folders: () => [{ path: DIRECTORY }, { path: '/var/lib/chrony' }],
  enabled: (_cluster, { provider }) => provider === 'chrony',
  resources: (context) => {
    const { cluster, host, facts } = context;
    const family = familyOf(facts);
    const steersClock = !isContainer(facts);
    return [
      // Before the package: Debian starts a daemon as soon as it is installed.
      directory(DIRECTORY),
      file(CONFIG, chronyConf({ ...sourcesOf(cluster, host, timeOptions(context.options)), steersClock })),
      file(ENVIRONMENT, chronyEnvironment({ configFile: CONFIG, steersClock, options: family.unitOptions.chrony })),
      packages(PACKAGES, directServers(cluster)),
      service(unitName(family, 'chrony'), {
        dropIns: { 'kubewright.conf': systemdUnit({ Service: { EnvironmentFile: ENVIRONMENT } }) },
        restartOn: [CONFIG, ENVIRONMENT],
        ...(family.packageTool.purges ? {} : { fills: FILLED }),
      }),
    ];
  },
  verify: (run) => verifyTime({ ...run, options: timeOptions(run.options) }, DAEMON),
});
