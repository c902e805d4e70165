import { calicoChecks } from '../kit/calico.ts';
import { defineMatrixCase } from '../kit/case.ts';
import { kubeadmChecks } from '../kit/kubeadm.ts';

export default defineMatrixCase({
  title: 'kubeadm with etcd on a host of its own, and Calico',
  hosts: { 'control-plane': 1, etcd: 1, worker: 1 },
  with: ['kubeadm', 'calico'],
  spec: (draft) => {
    draft.controlPlane = { engine: 'kubeadm', etcd: 'external' };
    for (const host of draft.hosts)
      host.roles = host.name.startsWith('etcd-') ? ['etcd'] : host.roles.filter((role) => role !== 'etcd');
    draft.phases['calico'] = {};
  },
  change: (draft) => {
    draft.phases['master'] = { controllerManager: { logLevel: 2 } };
  },
  checks: [...kubeadmChecks({ etcdPods: 0 }), ...calicoChecks({ vxlanMode: 'Always', ipipMode: 'Never' })],
});
