import { dirname } from 'node:path/posix';
import type { RequiredArtifact } from '../../artifacts/artifact.ts';
import { CNI_PLUGINS } from '../../kube/artifacts.ts';
import { imageRef } from '../../kube/images.ts';
import { installAll } from '../../kube/install.ts';
import { BIN_DIR, CNI_BIN_DIR, CNI_CONF_DIR } from '../../kube/paths.ts';
import { directServers, proxyEnvironment } from '../../kube/proxy.ts';
import { registriesOf } from '../../kube/registries.ts';
import { daemonUnit, flags, systemdUnit } from '../../render/unit.ts';
import { baseline } from '../../resources/baseline.ts';
import { directory } from '../../resources/directory.ts';
import { undoByScript } from '../../resources/engine/undo.ts';
import { file } from '../../resources/file.ts';
import { jsonKeys } from '../../resources/json-keys.ts';
import { packages } from '../../resources/packages.ts';
import type { Resource } from '../../resources/resource.ts';
import { service } from '../../resources/service.ts';
import { containerRuntime } from '../capabilities/container-runtime.ts';
import { controlPlaneEndpoint } from '../capabilities/control-plane-endpoint.ts';
import type { OfferView } from '../capability.ts';
import { definePhase } from '../phase.ts';
import { PAUSE, PODS_TEARDOWN } from '../runtime/public.ts';
import { CRI_DOCKERD } from './artifacts.ts';
import { daemonSettings } from './daemon.ts';
import { dockerIssues } from './issues.ts';
import { type DockerOptions, options } from './options.ts';
import {
  CRI_DOCKERD_DIR,
  CRI_SOCKET,
  DAEMON_JSON,
  DATA_ROOT,
  DOCKER_CERTS_D,
  DOCKER_PROXY_ENV,
  RUNC_WRAPPER,
} from './paths.ts';
import { certificateFiles, loginFile } from './registries.ts';
import {
  CHECK,
  CONTAINERS_OF_OTHERS,
  CONTAINERS_TEARDOWN,
  GROUP,
  GROUP_TEARDOWN,
  IMAGES,
  RUNC_WRAPPER_SCRIPT,
} from './scripts.ts';

const artifacts = ({ criDockerdVersion, cniVersion }: DockerOptions): RequiredArtifact[] => [
  { artifact: CRI_DOCKERD, version: criDockerdVersion },
  { artifact: CNI_PLUGINS, version: cniVersion, into: CNI_BIN_DIR },
];

/** Both need apparmor_parser where the kernel has AppArmor: without it no container starts. */
const PACKAGES = {
  distribution: ['apparmor', 'docker.io'],
  'docker-ce': ['apparmor', 'docker-ce', 'docker-ce-cli', 'containerd.io'],
} as const;

/** A package manager would remove them for the chosen ones. */
const OTHERS = {
  distribution: ['docker-ce', 'containerd.io', 'podman-docker', 'moby-engine'],
  'docker-ce': ['docker.io', 'containerd', 'runc', 'podman-docker', 'moby-engine'],
} as const;

/** Docker with cri-dockerd, for nodes that have Docker anyway, or people who know it. */
export default definePhase({
  name: 'docker',
  title: 'Docker with cri-dockerd',
  hosts: 'nodes',
  optional: 'when-named',
  offers: [
    containerRuntime.offer(({ options }: OfferView<DockerOptions>) => ({
      socket: CRI_SOCKET,
      unit: 'cri-docker.service',
      cgroupDriver: options.cgroupDriver,
      imageFolder: options.dataRoot ?? DATA_ROOT,
    })),
  ],
  needs: [
    { phase: 'prepare', on: 'same-host' },
    { phase: 'pki', on: 'every-host' },
  ],
  disrupts: 'node',
  timeouts: { applyMs: 15 * 60_000, verifyMs: 2 * 60_000 },
  expectedMs: 40_000,
  keepsRunning: { units: ['docker', 'cri-docker'] },
  options,
  specIssues: dockerIssues,
  requires: ({ options }) => ({
    deferredPackages: PACKAGES[options.packages],
    artifacts: artifacts(options),
    daemon: {
      what: 'Docker',
      packages: PACKAGES[options.packages],
      others: OTHERS[options.packages],
      units: ['docker.service', 'docker.socket', 'containerd.service'],
      rivals: ['snap.docker.dockerd.service'],
      used: CONTAINERS_OF_OTHERS,
      loses: 'the bridge of Docker and its rules in the packet filter, which nodes are without',
      setting: 'spec.phases.docker.packages',
    },
    images: [PAUSE],
    selinux: { policies: ['container-selinux'], folders: movedFolders(options) },
    features: [{ name: 'overlay', symbol: 'ovl_fill_super', load: true, reason: 'container images' }],
  }),
  upgrades: [{ component: 'cri-dockerd', option: 'criDockerdVersion' }],
  folders: ({ dataRoot }) => [
    ...[...FILLED, dirname(DAEMON_JSON), dirname(CNI_BIN_DIR), CNI_CONF_DIR].map((path) => ({ path })),
    ...(dataRoot === undefined ? [{ path: DATA_ROOT }] : [{ path: dataRoot, option: ['dataRoot'] }]),
  ],
  // Other runtimes, registries without TLS, an open socket: all of it is in there.
  guarded: [{ option: 'daemon' }],
  resources: async (context) => {
    const { cluster, facts, options, proxy } = context;
    const registries = await registriesOf(context);
    const proxied = proxy !== null;
    return [
      baseline('docker-images', IMAGES),
      baseline('docker-group', GROUP),
      ...(await installAll(context, artifacts(options))),
      directory(CNI_CONF_DIR),
      directory(DOCKER_CERTS_D),
      ...(await certificateFiles(context, registries)),
      ...(await loginFile(context, registries)),
      await proxyEnvironment(context, { path: DOCKER_PROXY_ENV, endpoint: context.offer(controlPlaneEndpoint).host }),
      ...(options.restrictOomScoreAdj ? [file(RUNC_WRAPPER, RUNC_WRAPPER_SCRIPT, { mode: 0o755 })] : []),
      // Before the package, which starts Docker: without it Docker makes its bridge, and rules that drop what pods forward.
      jsonKeys(DAEMON_JSON, daemonSettings(options, registries, { selinux: facts.selinux !== undefined }), {
        fills: filled(options),
      }),
      packages(PACKAGES[options.packages], directServers(cluster)),
      ...dockerUnits(options, proxied),
      service('cri-docker', {
        unit: criDockerUnit(await imageRef(context, PAUSE)),
        restartOn: [`${BIN_DIR}/cri-dockerd`],
        fills: [CRI_DOCKERD_DIR, '/var/lib/cni', CRI_SOCKET],
      }),
    ];
  },
  hooks: {
    async teardown({ remote, baselineOf }) {
      const before = baselineOf('docker-images').trim().split(/\s+/).join(' ');
      return [
        ...(await undoByScript(remote, CONTAINERS_TEARDOWN, [before])),
        ...(await undoByScript(remote, PODS_TEARDOWN)),
        ...(baselineOf('docker-group').trim() === 'none' ? await undoByScript(remote, GROUP_TEARDOWN) : []),
      ];
    },
  },
  async verify({ remote, options, fail, unitJournal }) {
    const { stdout } = await remote.script(CHECK, [CRI_SOCKET, options.cgroupDriver], { timeoutMs: 90_000 });
    if (stdout.trim() === 'ready') return;
    const journals = await Promise.all(['docker.service', 'cri-docker.service'].map((unit) => unitJournal(unit, 15)));
    fail('VERIFY_FAILED', 'Docker does not serve the Container Runtime Interface', [stdout, ...journals].join('\n'));
  },
});

/** The data of Docker, where an option moves them: the policy knows the usual place. */
const movedFolders = ({ dataRoot = DATA_ROOT }: DockerOptions) =>
  dataRoot === DATA_ROOT ? [] : [{ path: dataRoot, like: DATA_ROOT }];

/** What Docker, containerd and the plugins remember, beside the images. */
const FILLED = ['/var/lib/containerd', '/run/containerd', '/run/docker', CRI_DOCKERD_DIR, '/var/lib/cni'];
/** What is Docker's alone, from the first start by its package on. */
const filled = ({ dataRoot = DATA_ROOT }: DockerOptions): string[] => [
  ...[dataRoot, '/var/lib/containerd', '/run/containerd', '/run/docker'],
  ...['/run/docker.sock', '/run/docker.pid', '/etc/docker/key.json'],
];

/** The units of the package; containerd's is started by Docker's. */
function dockerUnits(options: DockerOptions, proxied: boolean): Resource[] {
  const { openFilesLimit } = options;
  const settings = {
    ...(openFilesLimit === undefined ? {} : { LimitNOFILE: openFilesLimit }),
    ...(proxied
      ? { EnvironmentFile: DOCKER_PROXY_ENV, UnsetEnvironment: 'all_proxy ALL_PROXY ftp_proxy FTP_PROXY' }
      : {}),
  };
  return [
    service('docker.socket'),
    service('docker', {
      ...(Object.keys(settings).length === 0
        ? {}
        : { dropIns: { 'kubewright.conf': systemdUnit({ Service: settings }) } }),
      restartOn: [DAEMON_JSON, ...(proxied ? [DOCKER_PROXY_ENV] : [])],
    }),
  ];
}

function criDockerUnit(sandboxImage: string): string {
  return daemonUnit({
    description: 'Container Runtime Interface for Docker',
    documentation: 'https://mirantis.github.io/cri-dockerd/',
    exec: [
      `${BIN_DIR}/cri-dockerd`,
      ...flags({
        'container-runtime-endpoint': `unix://${CRI_SOCKET}`,
        'docker-endpoint': 'unix:///run/docker.sock',
        'cri-dockerd-root-directory': CRI_DOCKERD_DIR,
        'network-plugin': 'cni',
        'cni-bin-dir': CNI_BIN_DIR,
        'cni-conf-dir': CNI_CONF_DIR,
        'cni-cache-dir': '/var/lib/cni/cache',
        'pod-infra-container-image': sandboxImage,
        // The kubelet alone asks it, on the same host.
        'streaming-bind-addr': '127.0.0.1:0',
      }),
    ],
    after: ['docker.service'],
    unit: { Requires: 'docker.service' },
    service: { Type: 'notify', Delegate: true, KillMode: 'process', TasksMax: 'infinity' },
  });
}
