import { defineMatrixCase } from '../kit/case.ts';
import { oneTimeDaemon } from '../kit/time.ts';

export default defineMatrixCase({
  title: 'No time synchronisation of ours; changed to chrony with pools of the user',
  hosts: { 'control-plane': 1, worker: 1 },
  spec: (draft) => {
    draft.phases['chrony'] = { provider: 'none' };
  },
  change: (draft) => {
    draft.phases['chrony'] = { pools: ['pool.ntp.org'], maxOffsetMs: 300 };
  },
  checks: [oneTimeDaemon],
});
