import { dirname } from 'node:path/posix';
import { z } from 'zod';
import { type ClusterSpec, hostsWithRole } from '../../../contracts/cluster.ts';
import { version } from '../../../contracts/primitives.ts';
import type { RequiredArtifact } from '../../artifacts/artifact.ts';
import { HOST_PATH } from '../../host/host-path.ts';
import { CNI_PLUGINS } from '../../kube/artifacts.ts';
import { imageRef } from '../../kube/images.ts';
import { installAll } from '../../kube/install.ts';
import {
  BIN_DIR,
  CNI_BIN_DIR,
  CNI_CONF_DIR,
  CONTAINERD_CERTS_D,
  CONTAINERD_DIR,
  REGISTRY_ENDPOINT,
} from '../../kube/paths.ts';
import { proxyEnvironment } from '../../kube/proxy.ts';
import { registriesOf, registryIssues, withLogins } from '../../kube/registries.ts';
import { registryClientLeaf } from '../../kube/registry-client.ts';
import { daemonUnit } from '../../render/unit.ts';
import { directory } from '../../resources/directory.ts';
import { undoByScript } from '../../resources/engine/undo.ts';
import { file } from '../../resources/file.ts';
import { service } from '../../resources/service.ts';
import { containerRuntime } from '../capabilities/container-runtime.ts';
import { controlPlaneEndpoint } from '../capabilities/control-plane-endpoint.ts';
import type { OfferView } from '../capability.ts';
import { configFolders, isTable } from '../option-types.ts';
import { definePhase, type PhaseContext } from '../phase.ts';
import { CONTAINERD, PAUSE, RUNC } from './artifacts.ts';
import {
  CONTAINERD_CONFIG,
  CONTAINERD_PROXY_ENV,
  CONTAINERD_SOCKET,
  containerdConfig,
  registryHosts,
} from './config.ts';
import { PODS_TEARDOWN } from './teardown-script.ts';
import { loginsOf, upstreamFiles } from './upstreams.ts';

const options = z.strictObject({
  version: version.default(CONTAINERD.version),
  runcVersion: version.default(RUNC.version),
  cniVersion: version.default(CNI_PLUGINS.version),
  config: z
    .strictObject({
      systemdCgroup: z.boolean().default(true).describe('Must match cgroupDriver of the kubelet; false on cgroup v1'),
      restrictOomScoreAdj: z
        .boolean()
        .default(false)
        .describe('True for hosts without CAP_SYS_RESOURCE: containerd lowers no OOM score and raises no limit'),
      openFilesLimit: z
        .int()
        .min(1024)
        .max(1_073_741_816)
        .optional()
        .describe('Limit of open files of containerd and of every container; default: that of systemd services'),
    })
    .prefault({}),
  containerd: z
    .record(z.string().max(100), z.unknown())
    .default({})
    .describe('Settings that are merged over config.toml, table by table'),
});
type Options = z.output<typeof options>;

/** The plugins make their folder themselves, so that the three downloads stand together: neighbours run side by side. */
const artifacts = ({ version, runcVersion, cniVersion }: Options): RequiredArtifact[] => [
  { artifact: CONTAINERD, version },
  { artifact: RUNC, version: runcVersion },
  { artifact: CNI_PLUGINS, version: cniVersion, into: CNI_BIN_DIR },
];

/** containerd, runc and the CNI plugins on every host that runs pods. The registry need not be up yet. */
export default definePhase({
  name: 'runtime',
  title: 'Container runtime',
  hosts: 'nodes',
  offers: [
    containerRuntime.offer(({ options }: OfferView<Options>) => ({
      socket: CONTAINERD_SOCKET,
      unit: 'containerd.service',
      cgroupDriver: options.config.systemdCgroup ? 'systemd' : 'cgroupfs',
      imageFolder: rootOf(options.containerd),
    })),
  ],
  optional: true,
  needs: [
    { phase: 'prepare', on: 'same-host' },
    { phase: 'pki', on: 'every-host' },
  ],
  disrupts: 'node',
  timeouts: { applyMs: 10 * 60_000, verifyMs: 60_000 },
  expectedMs: 5_000,
  keepsRunning: { units: ['containerd'] },
  options,
  requires: ({ options }) => ({
    artifacts: artifacts(options),
    images: [PAUSE],
    selinux: { policies: ['container-selinux'], folders: movedFolders(options.containerd) },
    features: [{ name: 'overlay', symbol: 'ovl_fill_super', load: true, reason: 'container images' }],
  }),
  // Not runc and the plugins: containerd runs them anew for each container, and restarts nothing for them.
  upgrades: [{ component: 'containerd', option: 'version' }],
  folders: ({ containerd }) => [
    ...[...FILLED, CONTAINERD_DIR, CNI_DIR, CNI_CONF_DIR].map((path) => ({ path })),
    ...containerdFolders(containerd),
  ],
  specIssues: ({ cluster, options }) => [...registryIssues(cluster), ...loginIssues(cluster, options)],
  // Containers without confinement, other registries, a streaming server: all of it is in there.
  guarded: [{ option: 'containerd' }],
  resources: async (context) => {
    const { options } = context;
    const upstreams = await registriesOf(context);
    const files = [...(await registryAccess(context)), ...upstreamFiles(upstreams)];
    const logins = loginsOf(upstreams);
    const sandboxImage = await imageRef(context, PAUSE);
    const config = await withLogins(context.pki, upstreams, (salt) => {
      const text = containerdConfig({
        sandboxImage,
        systemdCgroup: options.config.systemdCgroup,
        restrictOomScoreAdj: options.config.restrictOomScoreAdj,
        selinux: context.facts.selinux !== undefined,
        logins,
        overrides: options.containerd,
      });
      return logins ? `# ${salt}\n${text}` : text;
    });
    return [
      ...(await installAll(context, artifacts(options))),
      directory(CNI_CONF_DIR),
      directory(CONTAINERD_CERTS_D),
      ...files,
      file(CONTAINERD_CONFIG, config, logins ? { mode: 0o600 } : {}),
      await proxyEnvironment(context, {
        path: CONTAINERD_PROXY_ENV,
        endpoint: context.offer(controlPlaneEndpoint).host,
      }),
      // Not on runc, the plugins or certs.d: containerd reads those anew for every container and every pull.
      service('containerd', {
        unit: unit(options, context.proxy !== null),
        restartOn: [...[`${BIN_DIR}/containerd`, CONTAINERD_CONFIG], ...(context.proxy ? [CONTAINERD_PROXY_ENV] : [])],
        fills: [...FILLED, ...containerdFolders(options.containerd).map(({ path }) => path)],
      }),
    ];
  },
  hooks: {
    teardown: ({ remote }) => undoByScript(remote, PODS_TEARDOWN),
  },
  async verify({ remote, fail, unitJournal }) {
    const { stdout } = await remote.script(CHECK, [], { timeoutMs: 30_000 });
    if (stdout.trim() !== 'ready')
      fail(
        'VERIFY_FAILED',
        'containerd does not serve CRI',
        `${stdout}\n${await unitJournal('containerd.service', 20)}`,
      );
  },
});

/** containerd 2.4 reads no logins from its configuration any more (RELEASES.md of containerd 2.3). */
function loginIssues({ spec }: ClusterSpec, { version }: Options) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 2 || (major === 2 && minor < 4)) return [];
  return (spec.registries ?? []).flatMap(({ credential }, index) =>
    credential
      ? [
          {
            path: `spec.registries[${index}].credential`,
            message: `containerd ${version} (spec.phases.runtime.version) takes no logins from its configuration: up to 2.3 does, or use imagePullSecrets`,
          },
        ]
      : [],
  );
}

const CONTAINERD_ROOT = '/var/lib/containerd';

const rootOf = ({ root }: Options['containerd']): string => (typeof root === 'string' ? root : CONTAINERD_ROOT);

/** The root of containerd, where an option moves it: the policy knows the usual place. */
function movedFolders(containerd: Options['containerd']) {
  const path = rootOf(containerd);
  return path === CONTAINERD_ROOT ? [] : [{ path, like: CONTAINERD_ROOT }];
}

/** Images, layers, and what the plugins remember of every pod. */
const FILLED = ['/var/lib/containerd', '/run/containerd', '/run/nri', '/opt/containerd', '/var/lib/cni'];
const CNI_DIR = dirname(CNI_BIN_DIR);

/** What overrides of config.toml make containerd write to, sockets included: it removes what is in their place. */
function containerdFolders(overrides: Options['containerd']) {
  const plugins = Object.keys(isTable(overrides['plugins']) ? overrides['plugins'] : {});
  return configFolders(overrides, {
    keys: [
      ...['root', 'state', 'temp'].map((key) => [key]),
      ...['grpc', 'ttrpc', 'debug'].map((server) => [server, 'address']),
      ...plugins.flatMap((plugin) => [
        ['plugins', plugin, 'root_path'],
        ['plugins', plugin, 'socket_path'],
      ]),
      ['plugins', 'io.containerd.internal.v1.opt', 'path'],
    ],
    at: ['containerd'],
    within: [...FILLED, '/var/run/containerd', '/var/run/nri'],
  });
}

/** The plugin that the kubelet talks to must have loaded: with a wrong configuration containerd runs on without it. */
const CHECK = `
tries=0
until plugins=$(ctr --connect-timeout 2s plugins ls 2>&1) && printf '%s\\n' "$plugins" | grep -q '^io.containerd.grpc.v1 *cri .* ok'; do
  tries=$((tries + 1))
  [ "$tries" -lt 50 ] || { printf '%s\\n' "$plugins" | grep -v ' ok *$'; exit 0; }
  sleep 0.2
done
echo ready
`;

/** certs.d: authority and client certificate for the cluster's registry. Upstream registries need nothing. */
async function registryAccess({ cluster, host, pki }: PhaseContext<Options>) {
  if (hostsWithRole(cluster, 'registry').length === 0) return [];
  const folder = `${CONTAINERD_CERTS_D}/${REGISTRY_ENDPOINT}`;
  const paths = { ca: `${folder}/ca.crt`, cert: `${folder}/client.crt`, key: `${folder}/client.key` };
  const leaf = await registryClientLeaf(pki, host);
  return [
    file(paths.ca, leaf.ca),
    file(paths.cert, leaf.cert),
    file(paths.key, leaf.key, { mode: 0o600 }),
    file(`${folder}/hosts.toml`, registryHosts({ endpoint: REGISTRY_ENDPOINT, ...paths })),
  ];
}

function unit({ config }: Options, proxied: boolean): string {
  return daemonUnit({
    description: 'containerd container runtime',
    documentation: 'https://containerd.io',
    exec: [`${BIN_DIR}/containerd`],
    after: ['dbus.service'],
    service: {
      Type: 'notify',
      // Where containerd looks for runc and for its shim: ours, not older ones of the host.
      Environment: `PATH=${HOST_PATH}`,
      Delegate: true,
      // Containers outlive a restart of containerd.
      KillMode: 'process',
      // The file has all others, and wins over what drop-ins of others set.
      ...(proxied
        ? { EnvironmentFile: CONTAINERD_PROXY_ENV, UnsetEnvironment: 'all_proxy ALL_PROXY ftp_proxy FTP_PROXY' }
        : {}),
      TasksMax: 'infinity',
      // Containers inherit it, so no base OCI spec has to be kept in step with containerd's own.
      LimitNOFILE: config.openFilesLimit,
      ...(config.restrictOomScoreAdj ? {} : { LimitNPROC: 'infinity', LimitCORE: 'infinity', OOMScoreAdjust: -999 }),
    },
  });
}
