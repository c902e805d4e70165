import { CNI_BIN_DIR, CNI_CONF_DIR, CONTAINERD_CERTS_D, CONTAINERD_DIR, KUBEWRIGHT_DIR } from '../../kube/paths.ts';
import { type TomlTable, toml } from '../../render/toml.ts';

export const CONTAINERD_CONFIG = `${CONTAINERD_DIR}/config.toml`;
export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';
/** The proxies of `spec.proxy` for containerd, which starts anew when they change. */
export const CONTAINERD_PROXY_ENV = `${KUBEWRIGHT_DIR}/containerd-proxy.env`;

export interface ContainerdConfig {
  /** Reference of the pause image. */
  sandboxImage: string;
  systemdCgroup: boolean;
  restrictOomScoreAdj: boolean;
  /** Containers get labels of their own: on hosts with SELinux. */
  selinux: boolean;
  /** Path of the base OCI spec of containers, when there is one. */
  baseRuntimeSpec?: string | undefined;
  /** Logins to registries, by their servers; they make the file secret. */
  logins?: TomlTable | undefined;
  /** Merged over all of it, table by table. */
  overrides: Readonly<Record<string, unknown>>;
}

/** config.toml of containerd 2.x, configuration version 3: only what differs from its defaults. */
export function containerdConfig(config: ContainerdConfig): string {
  return toml(
    merge(
      {
        version: 3,
        plugins: {
          'io.containerd.cri.v1.images': {
            pinned_images: { sandbox: config.sandboxImage },
            registry: { config_path: CONTAINERD_CERTS_D, configs: config.logins },
          },
          'io.containerd.cri.v1.runtime': {
            enable_selinux: config.selinux || undefined,
            restrict_oom_score_adj: config.restrictOomScoreAdj || undefined,
            cni: { bin_dirs: [CNI_BIN_DIR], conf_dir: CNI_CONF_DIR },
            containerd: {
              default_runtime_name: 'runc',
              runtimes: {
                runc: {
                  runtime_type: 'io.containerd.runc.v2',
                  base_runtime_spec: config.baseRuntimeSpec,
                  options: { SystemdCgroup: config.systemdCgroup },
                },
              },
            },
          },
        },
      },
      config.overrides,
    ),
  );
}

function merge(base: TomlTable, over: Readonly<Record<string, unknown>>): TomlTable {
  const merged: Record<string, TomlTable[string]> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isTable(below) && isTable(value) ? merge(below, value) : (value as TomlTable[string]);
  }
  return merged;
}

const isTable = (value: unknown): value is TomlTable =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** hosts.toml of one registry that requires client certificates. */
export function registryHosts(registry: { endpoint: string; ca: string; cert: string; key: string }): string {
  const url = `https://${registry.endpoint}`;
  return toml({
    server: url,
    host: {
      [url]: {
        capabilities: ['pull', 'resolve'],
        ca: registry.ca,
        client: [[registry.cert, registry.key]],
      },
    },
  });
}
