import { defineMatrixCase } from '../kit/case.ts';
import { oneTimeDaemon } from '../kit/time.ts';

export default defineMatrixCase({
  title: 'ntpsec keeps the time, with a time server of the cluster; changed to chrony',
  hosts: { 'control-plane': 1, worker: 2 },
  spec: (draft) => {
    draft.phases['ntpsec'] = { maxOffsetMs: 200 };
  },
  // Switching takes the old daemon away: its package, unit and files.
  change: (draft) => {
    delete draft.phases['ntpsec'];
    draft.phases['chrony'] = { maxOffsetMs: 200 };
  },
  checks: [oneTimeDaemon],
});
