import { enabledProvidersOf } from '../../../activities/phases/capabilities.ts';
import type { MatrixCheck, SpecDraft } from './case.ts';

/** For daemons that only follow servers: no host of the spec serves the time. */
export function withoutTimeServer({ hosts }: SpecDraft): void {
  for (const host of hosts) host.roles = host.roles.filter((role) => role !== 'time-server');
}

/** Unit, process and the traces of each daemon, by the phase that runs it. */
const DAEMONS: Readonly<Record<string, { unit: string; process: string; traces: readonly string[] }>> = {
  chrony: {
    unit: 'chrony.service',
    process: 'chronyd',
    traces: ['/etc/chrony/kubewright.conf', '/etc/systemd/system/chrony.service.d/kubewright.conf'],
  },
  ntpsec: {
    unit: 'ntpsec.service',
    process: 'ntpd',
    traces: ['/etc/ntpsec/ntp.d/kubewright.conf', '/etc/systemd/system/ntpsec.service.d/kubewright.conf'],
  },
  'systemd-timesyncd': {
    unit: 'systemd-timesyncd.service',
    process: 'systemd-timesyn',
    traces: [
      '/etc/systemd/timesyncd.conf.d/kubewright.conf',
      '/etc/systemd/system/systemd-timesyncd.service.d/kubewright.conf',
    ],
  },
};

/** Prints what a daemon has on the host: its unit, its process, its files. */
const LOOK = ({ unit, process, traces }: (typeof DAEMONS)[string]): string =>
  `systemctl is-active --quiet ${unit} && echo unit ${unit}
ps -e -o comm= | grep -qx ${process} && echo process ${process}
for file in ${traces.join(' ')}; do [ ! -e "$file" ] || echo "file $file"; done
true`;

/** The daemon that the spec chooses runs on every host; of the others, those of an earlier build too, nothing is left. */
export const oneTimeDaemon: MatrixCheck = {
  title: 'one time daemon runs, and nothing of another one is left',
  run: async (kit) => {
    const [chosen] = enabledProvidersOf(kit.cluster, 'time-synchronization', kit.phases).map(({ name }) => name);
    for (const { name: host } of kit.cluster.spec.hosts) {
      for (const [phase, daemon] of Object.entries(DAEMONS)) {
        const found = (await kit.onHost(host, LOOK(daemon))).trim();
        if (phase !== chosen && found !== '') throw new Error(`${host} has something of ${phase}: ${found}`);
        const runs = found.includes(`unit ${daemon.unit}`) && found.includes(`process ${daemon.process}`);
        if (phase === chosen && !runs) throw new Error(`${phase} does not run on ${host}: ${found}`);
      }
    }
  },
};
