import type { SpecDraft } from '../../../matrix/kit/case.ts';
import { defineBadOptions } from '../bad-options.ts';

const kubeadm = (more: (draft: SpecDraft) => void, etcd?: string) => (draft: SpecDraft) => {
  draft.controlPlane = { engine: 'kubeadm', ...(etcd === undefined ? {} : { etcd }) };
  more(draft);
};
const nothing = () => undefined;

/** What of a spec does not go together with the engine, or with where its etcd is. */
export default defineBadOptions([
  {
    title: 'an engine that is none',
    spec: (draft) => {
      draft.controlPlane = { engine: 'kubeadmin' };
    },
    code: 'SPEC_INVALID',
    path: 'spec.controlPlane.engine',
    message: /did you mean `kubeadm`/,
  },
  {
    title: 'a place of etcd with engine binaries',
    spec: (draft) => {
      draft.controlPlane = { engine: 'binaries', etcd: 'stacked' };
    },
    code: 'SPEC_INVALID',
    path: 'spec.controlPlane.etcd',
    message: /with engine binaries etcd runs on the hosts with the role etcd/,
  },
  {
    title: 'stacked etcd with a member that is no control plane',
    spec: kubeadm((draft) => {
      draft.hosts[0]!.roles = draft.hosts[0]!.roles.filter((role) => role !== 'etcd');
      draft.hosts[1]!.roles = ['worker', 'etcd'];
    }, 'stacked'),
    code: 'SPEC_INVALID',
    path: 'spec.hosts[1].roles',
    message: /worker-1 is no control plane, and stacked etcd runs on those/,
  },
  {
    title: 'stacked etcd without a member on a control plane',
    spec: kubeadm((draft) => {
      draft.hosts[1]!.roles = ['worker', 'control-plane'];
    }, 'stacked'),
    code: 'SPEC_INVALID',
    path: 'spec.hosts[1].roles',
    message: /give worker-1 the role etcd/,
  },
  {
    title: 'stacked etcd with a way of founding',
    spec: kubeadm((draft) => {
      draft.phases['etcd'] = { bootstrap: { mode: 'static' } };
    }, 'stacked'),
    code: 'SPEC_INVALID',
    path: 'spec.phases.etcd.bootstrap',
    message: /kubeadm founds stacked etcd/,
  },
  {
    title: 'stacked etcd beside an etcd of the user',
    spec: kubeadm((draft) => {
      draft.hosts[0]!.roles = draft.hosts[0]!.roles.filter((role) => role !== 'etcd');
      draft.phases['etcd'] = {
        bootstrap: { mode: 'external', endpoints: ['https://etcd.test:2379'], credential: { name: 'etcd-client' } },
      };
    }, 'stacked'),
    code: 'SPEC_INVALID',
    path: 'spec.controlPlane.etcd',
    message: /bootstrap\.mode is external/,
  },
  {
    title: 'options under the name of a phase of kubeadm',
    spec: kubeadm((draft) => {
      draft.phases['kubeadm'] = { podSecurity: 'restricted' };
    }),
    code: 'SPEC_INVALID',
    path: 'spec.phases.kubeadm',
    message: /those of phase master, at spec\.phases\.master/,
  },
  {
    title: 'a Kubernetes whose kubeadm has no API v1beta4',
    spec: kubeadm((draft) => {
      draft['kubernetes'] = { version: '1.30.4' };
    }),
    code: 'SPEC_INVALID',
    path: 'spec.kubernetes.version',
    message: /must be 1\.31\.0 or newer/,
  },
  {
    title: 'no anonymous requests at all, with which static pods cannot be probed',
    spec: kubeadm((draft) => {
      draft.phases['master'] = { apiServer: { extraArgs: { 'anonymous-auth': 'false' } } };
    }),
    code: 'SPEC_INVALID',
    path: 'spec.phases.master.apiServer.extraArgs.anonymous-auth',
    message: /static pods are probed without a certificate/,
  },
  {
    title: 'another folder of static pods',
    spec: kubeadm((draft) => {
      draft.phases['nodes'] = { kubelet: { staticPodPath: '/srv/pods' } };
    }),
    code: 'SPEC_INVALID',
    path: 'spec.phases.nodes.kubelet.staticPodPath',
    message: /must be \/etc\/kubernetes\/manifests/,
  },
  {
    title: 'an unknown place of etcd',
    spec: kubeadm(nothing, 'local'),
    code: 'SPEC_INVALID',
    path: 'spec.controlPlane.etcd',
    message: /known: stacked, external/,
  },
]);
