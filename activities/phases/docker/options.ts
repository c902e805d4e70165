import { z } from 'zod';
import { dataDirectory } from '../../../contracts/data-directory.ts';
import { version } from '../../../contracts/primitives.ts';
import { CNI_PLUGINS } from '../../kube/artifacts.ts';
import { CRI_DOCKERD, RELEASED_CRI_DOCKERD } from './artifacts.ts';

export const options = z.strictObject({
  packages: z
    .enum(['distribution', 'docker-ce'])
    .default('distribution')
    .describe(
      'Whose Docker: docker.io of Debian and Ubuntu, or docker-ce of Docker, from a repository that the hosts have already. The RHEL family has the second only',
    ),
  criDockerdVersion: version
    .default(CRI_DOCKERD.version)
    .describe(
      `A mirror builds it; without a mirror only versions with a known sum can be installed: ${RELEASED_CRI_DOCKERD}`,
    ),
  cniVersion: version.default(CNI_PLUGINS.version),
  cgroupDriver: z
    .enum(['systemd', 'cgroupfs'])
    .default('systemd')
    .describe('Who makes the cgroups of containers; the kubelet has to do the same. cgroupfs on cgroup v1'),
  storageDriver: z.enum(['overlay2', 'fuse-overlayfs', 'btrfs', 'zfs', 'vfs']).default('overlay2'),
  dataRoot: dataDirectory.optional().describe('Folder of images and containers; default: /var/lib/docker'),
  liveRestore: z
    .boolean()
    .default(true)
    .describe(
      'Containers go on running while Docker restarts; false: every change of its configuration ends all pods of the node',
    ),
  logs: z
    .strictObject({
      maxSizeMiB: z.int().min(1).max(10_240).default(100),
      maxFiles: z.int().min(1).max(100).default(3),
    })
    .prefault({})
    .describe('Logs of each container. Docker rotates them: the settings of the kubelet for this have no effect'),
  openFilesLimit: z
    .int()
    .min(1024)
    .max(1_073_741_816)
    .optional()
    .describe('Limit of open files of Docker and of every container; default: that of systemd services'),
  restrictOomScoreAdj: z
    .boolean()
    .default(false)
    .describe(
      'True for hosts without CAP_SYS_RESOURCE: a wrapper of runc lowers no OOM score, and gives that capability to no container',
    ),
  daemon: z
    .record(z.string().max(100), z.unknown())
    .default({})
    .describe(
      'Settings of daemon.json, merged over ours key by key. Keys that are neither here nor ours stay as they are on the host',
    ),
});
export type DockerOptions = z.output<typeof options>;
