import { DOCKER_HUB } from '../../../contracts/registries.ts';
import type { RegistryAccess } from '../../kube/registries.ts';
import type { Json } from '../../resources/json-keys.ts';
import { isTable } from '../option-types.ts';
import { deepMerge } from '../options.ts';
import type { DockerOptions } from './options.ts';
import { RUNC_WRAPPER } from './paths.ts';

type Daemon = Readonly<Record<string, Json | undefined>>;

/**
 * The members of daemon.json that are ours. `selinux`: it is on, and containers get labels of their own. Docker makes no networks of
 * its own and no rules in the packet filter: pods have those of the pod network, and its rules would drop what is forwarded to them.
 */
export function daemonSettings(
  options: DockerOptions,
  registries: readonly RegistryAccess[],
  host: { selinux: boolean },
): Daemon {
  const { storageDriver, dataRoot, liveRestore, openFilesLimit, restrictOomScoreAdj } = options;
  const { maxSizeMiB, maxFiles } = options.logs;
  const mirrors = registries.find(({ host }) => host === DOCKER_HUB)?.mirrors ?? [];
  const plain = registries.filter(({ plainHttp }) => plainHttp).map(({ host }) => host);
  const settings: Daemon = {
    'exec-opts': [`native.cgroupdriver=${options.cgroupDriver}`],
    'storage-driver': storageDriver,
    'data-root': dataRoot,
    'live-restore': liveRestore,
    bridge: 'none',
    iptables: false,
    ip6tables: false,
    'log-driver': 'json-file',
    'log-opts': { 'max-size': `${maxSizeMiB}m`, 'max-file': String(maxFiles) },
    'registry-mirrors': mirrors.length > 0 ? mirrors : undefined,
    'insecure-registries': plain.length > 0 ? plain : undefined,
    'default-ulimits':
      openFilesLimit === undefined
        ? undefined
        : { nofile: { Name: 'nofile', Hard: openFilesLimit, Soft: openFilesLimit } },
    'selinux-enabled': host.selinux || undefined,
    ...(restrictOomScoreAdj
      ? { runtimes: { kubewright: { path: RUNC_WRAPPER } }, 'default-runtime': 'kubewright' }
      : {}),
  };
  return withoutEmpty(deepMerge(settings, options.daemon)) as Daemon;
}

/** An empty object would own nothing of the file. */
function withoutEmpty(table: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(table).flatMap(([key, value]): [string, unknown][] => {
      if (!isTable(value)) return value === undefined ? [] : [[key, value]];
      const inner = withoutEmpty(value);
      return Object.keys(inner).length === 0 ? [] : [[key, inner]];
    }),
  );
}
