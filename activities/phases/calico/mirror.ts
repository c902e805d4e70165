import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { CALICO_CNI, CALICO_CRDS, CALICO_KUBE_CONTROLLERS, CALICO_NODE, CALICO_TYPHA, CALICOCTL } from './artifacts.ts';

const MODULE = 'github.com/projectcalico/calico';
/** Versions of the project as a Go module: its tags of 3.x are no versions of one. */
const MODULE_VERSIONS: Readonly<Record<string, string>> = {
  // Of the branch release-v3.28, two months after v3.28.5, with the same sources.
  '3.28.5': 'v1.11.0-cni-plugin.0.20250813170300-a0db560f0520',
};
/** Its API is a folder of its repository, which the module does not have. */
const API = 'github.com/projectcalico/api';

/** Packages of the image of a node: what Felix calls, runit, which runs it, and BIRD. */
const NODE_PACKAGES = [
  ...['iproute2', 'iptables', 'ipset', 'conntrack', 'kmod', 'runit', 'procps', 'bird', 'ca-certificates', 'nftables'],
];

export default [
  {
    kind: 'go-set',
    unit: 'calico',
    seconds: 290,
    build: (version) => ({
      module: MODULE,
      version: MODULE_VERSIONS[version] ?? `v${version}`,
      ownReplaces: true,
      replaces: [`${API} => ${API} v0.0.0-20240708202104-e3f70b269c2c`],
      edits: [
        {
          // Go from 1.26 on refuses an IPv4 address in brackets.
          file: 'cni-plugin/pkg/install/install.go',
          from: '://[__KUBERNETES_SERVICE_HOST__]:',
          to: '://__KUBERNETES_SERVICE_HOST__:',
        },
        {
          // Only the project's own BIRD knows this word. Pools in mode IPIP keep it: there BIRD refuses its file, and does
          // not send packets without their tunnel.
          file: 'confd/etc/calico/confd/templates/bird_ipam.cfg.template',
          from: '    krt_tunnel = "{{$data.ipip}}";         {{- /* Destination in ipPool, mode field is not present',
          to: '    {{- /* Destination in ipPool, mode field is not present',
        },
      ],
      builds: [
        { pkg: `${MODULE}/node/cmd/calico-node`, output: 'calico-node' },
        { pkg: `${MODULE}/node/cmd/mountns`, output: 'mountns' },
        { pkg: `${MODULE}/cni-plugin/cmd/calico`, output: 'calico' },
        { pkg: `${MODULE}/cni-plugin/cmd/install`, output: 'install' },
        { pkg: `${MODULE}/kube-controllers/cmd/kube-controllers`, output: 'kube-controllers' },
        { pkg: `${MODULE}/kube-controllers/cmd/check-status`, output: 'check-status' },
        { pkg: `${MODULE}/typha/cmd/calico-typha`, output: 'calico-typha' },
        { pkg: `${MODULE}/calicoctl/calicoctl`, output: 'calicoctl' },
      ],
      ldflags: [
        ...[
          `${MODULE}/node/pkg/lifecycle/startup.VERSION`,
          `${MODULE}/node/buildinfo.GitVersion`,
          `${MODULE}/felix/buildinfo.GitVersion`,
          `${MODULE}/calicoctl/calicoctl/commands.VERSION`,
          // It refuses to work with a cluster of another version.
          `${MODULE}/calicoctl/calicoctl/commands/common.VERSION`,
          `${MODULE}/typha/pkg/buildinfo.GitVersion`,
          'main.VERSION',
        ].map((name) => `-X ${name}=v${version}`),
      ],
    }),
    artifacts: [{ artifact: CALICOCTL }, { artifact: CALICO_CRDS, from: 'manifests/crds.yaml' }],
    images: [
      {
        image: CALICO_NODE,
        packages: NODE_PACKAGES,
        // runit's link to a folder of its own.
        without: ['etc/service'],
        programs: { 'usr/bin/calico-node': 'calico-node', 'usr/bin/mountns': 'mountns' },
        files: [
          { from: 'node/filesystem/etc', to: 'etc', executable: /^(run|rc\.local)$/ },
          { from: 'node/filesystem/sbin', to: 'usr/sbin', executable: /^(start_runit|restart-calico-confd|versions)$/ },
          { from: 'confd/etc/calico/confd', to: 'etc/calico/confd' },
        ],
        entrypoint: [],
        cmd: ['start_runit'],
        env: ['SVDIR=/etc/service/enabled'],
      },
      {
        image: CALICO_CNI,
        programs: {
          'opt/cni/bin/calico': 'calico',
          'opt/cni/bin/calico-ipam': 'calico',
          'opt/cni/bin/install': 'install',
        },
        entrypoint: [],
        cmd: ['/opt/cni/bin/install'],
        workingDir: '/opt/cni/bin',
      },
      {
        image: CALICO_KUBE_CONTROLLERS,
        programs: { 'usr/bin/kube-controllers': 'kube-controllers', 'usr/bin/check-status': 'check-status' },
        writable: ['status', 'profiles'],
        entrypoint: ['/usr/bin/kube-controllers'],
        user: '999',
      },
      {
        image: CALICO_TYPHA,
        programs: { 'usr/bin/calico-typha': 'calico-typha' },
        files: [{ from: 'typha/docker-image/typha.cfg', to: 'etc/calico/typha.cfg' }],
        entrypoint: [],
        cmd: ['/usr/bin/calico-typha'],
        user: '999',
      },
    ],
  },
] satisfies MirrorRecipe[];
