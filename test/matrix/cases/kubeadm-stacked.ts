import { defineMatrixCase } from '../kit/case.ts';
import { kubeadmChecks } from '../kit/kubeadm.ts';

export default defineMatrixCase({
  title: 'kubeadm with stacked etcd, and two workers that join it',
  hosts: { 'control-plane': 1, worker: 2 },
  with: ['kubeadm'],
  spec: (draft) => {
    draft.controlPlane = { engine: 'kubeadm', etcd: 'stacked' };
  },
  change: (draft) => {
    draft.phases['master'] = { apiServer: { logLevel: 2 } };
  },
  checks: kubeadmChecks({ etcdPods: 1 }),
});
