import { defineMatrixCase } from '../kit/case.ts';

/** The choices of a spec that names none. */
export default defineMatrixCase({
  title: 'The defaults: flannel with VXLAN, containerd, nftables, chrony',
  hosts: { 'control-plane': 1, worker: 2 },
  spec: () => undefined,
  change: (draft) => {
    draft.phases['flannel'] = { vxlanPort: 8473 };
  },
});
