import { type BadOption, defineBadOptions } from '../bad-options.ts';

const option = (name: string, value: unknown, message: RegExp, more: Record<string, unknown> = {}): BadOption => ({
  title: `openvswitch.${name} ${JSON.stringify(value)}`,
  spec: (draft) => {
    draft.phases['openvswitch'] = { ...more, [name]: value };
  },
  code: 'SPEC_INVALID',
  path: `spec.phases.openvswitch.${name}`,
  message,
});

/** The pod network by Open vSwitch: values, and ranges that collide with others of the cluster. */
export default defineBadOptions([
  option('tunnel', 'geneve', /unknown value `geneve`; known: gre, vxlan/),
  option('tunnel', 'vxlam', /did you mean `vxlan`/),
  option('vxlanPort', 0, /at least 1$/),
  option('vxlanPort', 70_000, /at most 65535/),
  option('datapath', 'dpdk', /known: auto, kernel, userspace/),
  option('ipMasq', 'no', /must be true or false/),
  option('tunnelCidr', '172.30.0.1/16', /IPv4 network.*host bits zero/),
  option('tunnelCidr', '172.30.0.0/28', /prefix of 8 to 24 bits, not 28/),
  option('tunnelCidr', '10.244.0.0/16', /overlaps spec\.network\.podCidr 10\.244\.0\.0\/16/),
  option('tunnelCidr', '10.96.0.0/16', /overlaps spec\.network\.serviceCidr/, { datapath: 'userspace' }),
  {
    title: 'a range for tunnels in which a host is',
    spec: (draft) => {
      draft.hosts[1]!.address = '172.30.0.12';
      draft.phases['openvswitch'] = {};
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.openvswitch.tunnelCidr',
    message: /contains 172\.30\.0\.12, the address of worker-1/,
  },
  {
    title: 'a range for tunnels that gives two hosts the same address',
    spec: (draft) => {
      draft.hosts[1]!.address = '10.20.1.12';
      draft.hosts[2]!.address = '10.20.2.12';
      draft.phases['openvswitch'] = { tunnelCidr: '172.30.0.0/24' };
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.openvswitch.tunnelCidr',
    message:
      /gives worker-1 and worker-2 the same address: 10\.20\.2\.12 has the same low 8 bits; set a shorter prefix/,
  },
  {
    title: 'a range for tunnels that gives a host the address of its network',
    spec: (draft) => {
      draft.hosts[1]!.address = '10.20.5.0';
      draft.phases['openvswitch'] = { tunnelCidr: '172.30.0.0/24' };
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.openvswitch.tunnelCidr',
    message: /gives worker-1 no address/,
  },
  {
    title: 'two pod networks',
    spec: (draft) => {
      draft.phases['flannel'] = {};
      draft.phases['openvswitch'] = {};
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.openvswitch',
    message: /flannel and openvswitch each provide pod-network/,
  },
]);
