import type { RequiredTimeDaemon } from '../../requires.ts';
import { type CheckHost, defineCheck } from '../check.ts';

const daemonOf = ({ requirements }: CheckHost): RequiredTimeDaemon | undefined =>
  requirements.flatMap(({ timeDaemon = [] }) => timeDaemon)[0];

export default defineCheck({
  name: 'time-daemons',
  about: 'clock',
  title: 'Other time daemons',
  inspects:
    'Units of other time daemons that run on the host beside the one of the spec. Those that an earlier choice of the cluster placed are left out, and systemd-timesyncd, which the package of the chosen daemon replaces and a teardown brings back.',
  codes: ['TIME_DAEMON_RUNNING'],
  probe: {
    // By its Id: some distributions have several names for one unit.
    script: `
for unit; do
  ! systemctl is-active --quiet "$unit.service" || systemctl show -p Id --value "$unit.service"
done | sort -u | while read -r id; do
  [ -e "/etc/systemd/system/$id.d/kubewright.conf" ] || say "$id"
done`,
    args: (of) => daemonOf(of)?.rivals ?? null,
  },
  evaluate(input, rows) {
    const { name, units } = daemonOf(input)!;
    return rows.flatMap(([unit = '']) =>
      units.some((own) => unit === `${own}.service`)
        ? []
        : [
            {
              code: 'TIME_DAEMON_RUNNING' as const,
              message: `${unit} runs on the host: ${name} and it would set the clock side by side`,
              evidence: `systemctl is-active ${unit}: active`,
            },
          ],
    );
  },
});
