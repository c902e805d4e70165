import { defineMatrixCase } from '../kit/case.ts';
import { oneTimeDaemon, withoutTimeServer } from '../kit/time.ts';

export default defineMatrixCase({
  title: 'systemd-timesyncd follows servers of the user; changed to ntpsec',
  hosts: { 'control-plane': 1, worker: 1 },
  spec: (draft) => {
    withoutTimeServer(draft);
    // Hosts of the lab reach no server: what is checked is that the one daemon runs and nothing else does.
    draft.phases['systemd-timesyncd'] = { pools: ['pool.ntp.org'] };
  },
  change: (draft) => {
    delete draft.phases['systemd-timesyncd'];
    draft.phases['ntpsec'] = { pools: ['pool.ntp.org'] };
  },
  checks: [oneTimeDaemon],
});
