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

/** What of a spec does not go together with Docker. Pure. */
export function dockerIssues({ cluster, options }: { cluster: ClusterSpec; options: DockerOptions }): FieldIssue[] {
  return [
    ...versionIssues(cluster, options),
    ...daemonIssues(options),
    ...cgroupIssues(cluster, options),
    ...dockerRegistryIssues(cluster),
  ];
}

/** Without a mirror a release is downloaded, and it must be known by its sum. */
function versionIssues({ spec }: ClusterSpec, { criDockerdVersion }: DockerOptions): FieldIssue[] {
  if (spec.artifacts.mirror !== undefined) return [];
  if (CRI_DOCKERD.file(criDockerdVersion, 'amd64').digest.kind === 'known') return [];
  const message = `no sum of the release ${criDockerdVersion} is known: set ${RELEASED_CRI_DOCKERD}, or give a mirror (spec.artifacts.mirror)`;
  return [{ path: `${AT}.criDockerdVersion`, message }];
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
  const message = `${typeof given === 'string' ? given : JSON.stringify(given)} is not ${cgroupDriver}, which Docker has (${AT}.cgroupDriver): the kubelet would start no pod`;
  return [{ path: 'spec.phases.nodes.kubelet.config.cgroupDriver', message }];
}
