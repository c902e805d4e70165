import { z } from 'zod';
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
import { timeServerOptions } from '../time/options.ts';
import { ntpPort, sourcesOf } from '../time/sources.ts';
import { type TimeDaemon, verifyTime } from '../time/verify.ts';
import { ntpConf } from './config.ts';

/** Debian's AppArmor profile lets ntpd read files of this folder; nothing of the distribution includes them. */
const DIRECTORY = '/etc/ntpsec/ntp.d';
const CONFIG = `${DIRECTORY}/kubewright.conf`;
const DROP_INS = '/etc/systemd/system/ntpsec.service.d';
const DROP_IN = `${DROP_INS}/kubewright.conf`;

const PACKAGES = ['ntpsec'];

const DAEMON: TimeDaemon = {
  name: 'ntpd',
  // ntpq ends well where no daemon answers, without the line below the names of its columns.
  measure: `
sources() { timeout 5 ntpq -pn; }
measure() {
  kw_time=$(timeout 5 ntpq -pn 2>/dev/null) || return 1
  printf '%s\\n' "$kw_time" | grep -q '^===' || return 1
  printf '%s\\n' "$kw_time" | awk '/^[*o]/ { printf "%s %s\\n", $9, substr($1, 2); exit }'
}
`,
};

/** ntpd of NTPsec in place of chronyd. */
export default definePhase({
  name: 'ntpsec',
  title: 'Time synchronisation by NTPsec',
  hosts: 'all',
  optional: 'when-named',
  offers: [timeSynchronization.offer(() => ({}))],
  allowlistsPeers: 'time-server',
  dependsOnAddressesOf: ['time-server'],
  needs: [{ phase: 'prepare', on: 'same-host' }],
  timeouts: { applyMs: 5 * 60_000, verifyMs: 90_000 },
  expectedMs: 12_000,
  options: z.strictObject(timeServerOptions),
  requires: () => ({ deferredPackages: PACKAGES, ports: [ntpPort('ntpd')], timeDaemon: timeDaemon('ntpsec') }),
  folders: () => [{ path: DIRECTORY }, { path: '/var/lib/ntpsec' }],
  healthProbe: timeProbe(DAEMON),
  resources: ({ cluster, host, options, facts }) => [
    // Before the package: Debian starts the daemon as soon as it is installed.
    directory(DIRECTORY),
    file(CONFIG, ntpConf({ ...sourcesOf(cluster, host, options), steersClock: !isContainer(facts) })),
    directory(DROP_INS),
    file(
      DROP_IN,
      systemdUnit({
        Service: {
          // The script of the distribution takes servers from DHCP. The first line empties its list of commands.
          ExecStart: ['', `/usr/sbin/ntpd -p /run/ntpd.pid -c ${CONFIG} -g -N -u ntpsec:ntpsec`],
          Restart: 'always',
          RestartSec: 2,
        },
      }),
    ),
    packages(PACKAGES, directServers(cluster)),
    service('ntpsec', { restartOn: [CONFIG, DROP_IN] }),
  ],
  verify: (run) => verifyTime(run, DAEMON),
});
