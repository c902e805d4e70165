import { z } from 'zod';
import { formatPath } from '../../../contracts/issues.ts';
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
import { maxOffsetMs, plainServers, pools } from '../time/options.ts';
import { sourcesOf } from '../time/sources.ts';
import { type TimeDaemon, verifyTime } from '../time/verify.ts';

const UNIT = 'systemd-timesyncd';
const DIRECTORY = '/etc/systemd/timesyncd.conf.d';
const CONFIG = `${DIRECTORY}/kubewright.conf`;
const DROP_INS = `/etc/systemd/system/${UNIT}.service.d`;
const DROP_IN = `${DROP_INS}/kubewright.conf`;

const PACKAGES = ['systemd-timesyncd'];

const DAEMON: TimeDaemon = {
  name: UNIT,
  measure: `
sources() { LC_ALL=C timeout 3 timedatectl timesync-status; journalctl -q --no-pager -n 5 -u ${UNIT}.service; }
measure() {
  kw_time=$(LC_ALL=C timeout 3 timedatectl timesync-status 2>/dev/null) || return 1
  printf '%s\\n' "$kw_time" | awk '
    $1 == "Server:" { server = $2 }
    $1 == "Offset:" {
      sign = $2 ~ /^-/ ? -1 : 1
      for (i = 2; i <= NF; i++) {
        word = $i; sub(/^[+-]/, "", word); unit = word; gsub(/[0-9.]/, "", unit)
        total += (word + 0) * (unit == "us" ? 0.001 : unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "min" ? 60000 : 3600000)
      }
      measured = 1
    }
    END { if (measured && server != "") printf "%.3f %s\\n", sign * total, server }'
}
`,
};

/**
 * Where the package was just installed D-Bus may have read its policy before the account of the daemon existed: the daemon then
 * runs without its name on the bus, and timedatectl cannot reach it.
 */
const BE_ASKED = `timeout 3 timedatectl show-timesync >/dev/null 2>&1 || {
  systemctl reload dbus.service
  systemctl restart ${UNIT}.service
}`;

/** systemd's own client in place of chronyd. It cannot serve. */
export default definePhase({
  name: 'systemd-timesyncd',
  title: 'Time synchronisation by systemd',
  hosts: 'all',
  optional: 'when-named',
  offers: [timeSynchronization.offer(() => ({}))],
  needs: [{ phase: 'prepare', on: 'same-host' }],
  timeouts: { applyMs: 5 * 60_000, verifyMs: 90_000 },
  expectedMs: 4_000,
  options: z.strictObject({ servers: plainServers, pools, maxOffsetMs }),
  requires: () => ({ deferredPackages: PACKAGES, timeDaemon: timeDaemon(UNIT) }),
  folders: () => [{ path: DIRECTORY }],
  specIssues: ({ cluster }) =>
    cluster.spec.hosts.flatMap(({ roles }, index) => {
      const at = roles.indexOf('time-server');
      return at < 0
        ? []
        : [
            {
              path: formatPath(['spec', 'hosts', index, 'roles', at]),
              message:
                'systemd-timesyncd only follows servers and cannot serve: remove the role time-server, or choose chrony or ntpsec',
            },
          ];
    }),
  healthProbe: timeProbe(DAEMON),
  resources: ({ cluster, host, options, facts }) => {
    const { servers, pools: names } = sourcesOf(cluster, host, options);
    const all = [...servers.map(({ address }) => address), ...names];
    const config = systemdUnit({ Time: { NTP: all.join(' '), PollIntervalMinSec: 16, PollIntervalMaxSec: 64 } });
    return [
      directory(DIRECTORY),
      file(CONFIG, config),
      ...(isContainer(facts)
        ? [
            directory(DROP_INS),
            // The kernel's clock is not this host's to set: it compares, without the right to change it.
            file(
              DROP_IN,
              systemdUnit({
                Unit: { ConditionVirtualization: '', ConditionCapability: '' },
                Service: { AmbientCapabilities: '', CapabilityBoundingSet: '' },
              }),
            ),
          ]
        : []),
      packages(PACKAGES, directServers(cluster)),
      service(UNIT, { restartOn: [CONFIG, ...(isContainer(facts) ? [DROP_IN] : [])] }),
    ];
  },
  async verify(run) {
    await run.remote.script(BE_ASKED, [], { okCodes: 'any', timeoutMs: 30_000 });
    await verifyTime(run, DAEMON);
  },
});
