import type { ClusterSpec } from '../../../../contracts/cluster.ts';
import { isWithin, SYSTEM_FOLDERS } from '../../../../contracts/data-directory.ts';
import type { Host } from '../../../../contracts/host.ts';
import * as paths from '../../../kube/paths.ts';
import { OURS } from '../../../leftovers/scripts.ts';
import { STATE_DIR } from '../../../resources/paths.ts';
import { rawPhaseOptions } from '../../options.ts';
import { runsPods } from '../../placement.ts';
import { defineCheck } from '../check.ts';

/** Units that write there see no /home, /root and /tmp of the system (ProtectHome, PrivateTmp). */
const HIDDEN = ['/home', '/root', '/run/user', '/tmp', '/var/tmp'];

/** Folders of ours that may be links: data, and where files are placed. */
function foldersOf({ cluster, host }: { cluster: ClusterSpec; host: Host }): { confined: string[]; others: string[] } {
  const named = (phase: string, option: string, otherwise: string): string => {
    const value = rawPhaseOptions(cluster, phase, host)[option];
    return typeof value === 'string' ? value.replace(/(?<=.)\/$/, '') : otherwise;
  };
  return {
    confined: [
      ...(host.roles.includes('etcd') ? [named('etcd', 'dataDir', '/var/lib/etcd')] : []),
      ...(host.roles.includes('registry') ? [named('registry', 'storageDir', paths.REGISTRY_STATE_DIR)] : []),
    ],
    others: [
      ...[STATE_DIR, paths.KUBEWRIGHT_DIR, paths.BIN_DIR],
      ...(host.roles.includes('etcd') ? [paths.ETCD_DIR] : []),
      ...(runsPods(host)
        ? [
            ...['/var/lib/kubelet', '/var/lib/containerd', '/var/lib/cni', '/var/log/pods', '/var/log/containers'],
            ...[
              paths.KUBERNETES_DIR,
              paths.CONTAINERD_DIR,
              '/opt/cni',
              paths.CNI_BIN_DIR,
              '/etc/cni',
              paths.CNI_CONF_DIR,
            ],
          ]
        : []),
    ],
  };
}

/** Why a folder is no place for ours; null when it is. */
function problemOf(real: string, owner: string, confined: boolean): string | null {
  const hidden = confined ? HIDDEN.find((folder) => isWithin(real, folder)) : undefined;
  if (hidden !== undefined) return `is in ${hidden}, which its service does not see (ProtectHome, PrivateTmp)`;
  const tree = SYSTEM_FOLDERS.trees.find((folder) => isWithin(real, folder));
  if (tree !== undefined) return real === tree ? 'is a folder of the system' : `is in ${tree}, a folder of the system`;
  if (SYSTEM_FOLDERS.folders.includes(real)) return 'is a folder of the system';
  return owner === 'root' ? null : `belongs to ${owner}`;
}

export default defineCheck({
  name: 'folder-links',
  about: 'disk',
  title: 'Folders that are links',
  inspects:
    'Folders of the cluster that are links (for example to another disk): the target must be an existing folder, on every host; and, before the first build of a host, not a folder of the system or of another service.',
  codes: ['FOLDER_UNUSABLE'],
  probe: {
    script: `
${OURS}
built=no
for unit in kubelet etcd registry; do ours "$unit.service" && built=yes; done
for path; do
  [ -L "$path" ] || continue
  real=$(readlink -e -- "$path") || { say nowhere "$path" "$(readlink -m -- "$path")"; continue; }
  if [ ! -d "$real" ]; then say file "$path" "$real"
  elif [ "$built" = no ]; then say link "$path" "$real" "$(stat -c %U -- "$real")"; fi
done`,
    args: (of) => Object.values(foldersOf(of)).flat(),
  },
  evaluate(of, rows) {
    const { confined } = foldersOf(of);
    return rows.flatMap(([kind = '', path = '', real = '', owner = '']) => {
      const why =
        kind === 'nowhere'
          ? 'is not there: is its disk mounted?'
          : kind === 'file'
            ? 'is no folder'
            : // What is kept in /etc of the system may be linked within it.
              isWithin(path, '/etc') && isWithin(real, '/etc')
              ? null
              : problemOf(real, owner, confined.includes(path));
      if (why === null) return [];
      const evidence = `readlink -m ${path}: ${real}${owner === '' ? '' : `, owner ${owner}`}`;
      return [{ code: 'FOLDER_UNUSABLE' as const, message: `${path} is a link to ${real}, which ${why}`, evidence }];
    });
  },
});
