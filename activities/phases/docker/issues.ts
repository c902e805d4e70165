import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { FieldIssue } from '../../../contracts/issues.ts';
import { isTable } from '../option-types.ts';
import { rawPhaseOptions } from '../options.ts';
import { CRI_DOCKERD, RELEASED_CRI_DOCKERD } from './artifacts.ts';
import type { DockerOptions } from './options.ts';
import { dockerRegistryIssues } from './registries.ts';

const AT = 'spec.phases.docker';
/** Members of daemon.json that the node cannot do without, and the option that says them where there is one. */
const FIXED: Readonly<Record<string, string>> = {
  'exec-opts': `${AT}.cgroupDriver`,
  'storage-driver': `${AT}.storageDriver`,
  'data-root': `${AT}.dataRoot`,
  graph: `${AT}.dataRoot`,
  'live-restore': `${AT}.liveRestore`,
  'log-opts': `${AT}.logs`,
  'registry-mirrors': 'spec.registries',
  'insecure-registries': 'spec.registries',
  bridge: '',
  iptables: '',
  ip6tables: '',
  hosts: '',
};

/** The version of cri-dockerd for this cluster. */
export const criDockerdVersion = (
  { spec }: ClusterSpec,
  { criDockerdVersion: given }: Pick<DockerOptions, 'criDockerdVersion'>,
): string => given ?? (spec.artifacts.mirror === undefined ? RELEASED_CRI_DOCKERD : CRI_DOCKERD.version);

/** What of a spec does not go together with Docker. Pure. */
export function dockerIssues({ cluster, options }: { cluster: ClusterSpec; options: DockerOptions }): FieldIssue[] {
  return [...daemonIssues(options), ...cgroupIssues(cluster, options), ...dockerRegistryIssues(cluster)];
}

function daemonIssues({ daemon }: DockerOptions): FieldIssue[] {
  return Object.keys(daemon)
    .filter((key) => Object.hasOwn(FIXED, key))
    .map((key) => ({
      path: `${AT}.daemon.${key}`,
      message:
        FIXED[key] === '' ? 'is what pods need, and no option: remove it' : `has an option of its own: ${FIXED[key]}`,
    }));
}

/** The kubelet that makes cgroups in another way starts no pod. */
function cgroupIssues(cluster: ClusterSpec, { cgroupDriver }: DockerOptions): FieldIssue[] {
  const { kubelet } = rawPhaseOptions(cluster, 'nodes');
  const config = isTable(kubelet) && isTable(kubelet['config']) ? kubelet['config'] : {};
  const given = config['cgroupDriver'];
  if (given === undefined || given === cgroupDriver) return [];
  const message = `${String(given)} is not ${cgroupDriver}, which Docker has (${AT}.cgroupDriver): the kubelet would start no pod`;
  return [{ path: 'spec.phases.nodes.kubelet.config.cgroupDriver', message }];
}
