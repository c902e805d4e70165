import { type BadOption, defineBadOptions } from '../bad-options.ts';

/** Options of phase calico, and the place of the one that is wrong. */
const option = (options: Record<string, unknown>, place: string, message: RegExp): BadOption => ({
  title: `calico ${JSON.stringify(options).slice(0, 80)}`,
  spec: (draft) => {
    draft.phases['calico'] = options;
  },
  code: 'SPEC_INVALID',
  path: `spec.phases.calico${place}`,
  message,
});

const peer = { address: '10.0.0.1', asNumber: 65_000 };

export default defineBadOptions([
  option({ mode: 'vxlam' }, '.mode', /did you mean `vxlan`/),
  option({ mode: 'overlay' }, '.mode', /known: vxlan, bgp, ipip/),
  option({ blockSize: 19 }, '.blockSize', /at least 20$/),
  option({ blockSize: 33 }, '.blockSize', /at most 32$/),
  option({ natOutgoing: 'no' }, '.natOutgoing', /must be true or false/),
  option({ mtu: 1400 }, '', /unknown key `mtu`/),
  option({ calicoctl: 1 }, '.calicoctl', /must be true or false/),
  option({ nodeSelector: 'all()' }, '.nodeSelector', /must be an object/),
  option({ bgp: { asNumber: 0 } }, '.bgp.asNumber', /at least 1$/),
  option({ bgp: { asNumber: 4_294_967_296 } }, '.bgp.asNumber', /at most 4294967295$/),
  option({ mode: 'bgp', bgp: { peers: [{ ...peer, address: 'router' }] } }, '.bgp.peers[0].address', /IPv4 address/),
  option({ mode: 'bgp', bgp: { peers: [peer, peer] } }, '.bgp.peers[1].address', /named twice/),
  option({ mode: 'bgp', bgp: { peers: [{ ...peer, nodes: ['nobody'] }] } }, '.bgp.peers[0].nodes[0]', /is no host/),
  option({ mode: 'bgp', bgp: { nodeMesh: false } }, '.bgp.nodeMesh', /name peers, or leave the mesh on/),
  option({ bgp: { peers: [peer] } }, '.bgp.peers', /mode vxlan has no BGP: choose mode bgp or ipip/),
  option({ bgp: { nodeMesh: false } }, '.bgp.nodeMesh', /mode vxlan has no BGP/),
  option({ typha: { replicas: 21 } }, '.typha.replicas', /at most 20$/),
  option({ typha: { replicas: 20 } }, '.typha.replicas', /more than the \d+ nodes?/),
  option({ felix: { logSeverity: 'Verbose' } }, '.felix.logSeverity', /known: Debug, Info, Warning, Error, Fatal/),
  option({ felix: { iptablesBackend: 'bpf' } }, '.felix.iptablesBackend', /known: nft, legacy, auto/),
  option({ felix: { refreshSeconds: 5 } }, '.felix.refreshSeconds', /at least 10$/),
  option({ felix: { defaultEndpointToHostAction: 'Reject' } }, '.felix.defaultEndpointToHostAction', /known: Accept/),
  {
    title: 'calico with API servers that refuse privileged pods',
    spec: (draft) => {
      draft.phases['calico'] = {};
      draft.phases['master'] = { apiServer: { allowPrivileged: false } };
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.master.apiServer.allowPrivileged',
    message: /privileged/,
  },
  {
    title: 'calico without kube-proxy, whose work it does not do',
    spec: (draft) => {
      draft.phases['calico'] = {};
      draft.phases['nodes'] = { kubeProxy: { mode: 'none' } };
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.nodes.kubeProxy.mode',
    message: /services/,
  },
  {
    title: 'calico beside a flannel that is named',
    spec: (draft) => {
      draft.phases['calico'] = {};
      draft.phases['flannel'] = {};
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.flannel',
    message: /each provide pod-network: leave one on/,
  },
]);
