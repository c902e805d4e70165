import { parse } from 'yaml';
import {
  FILE_SYSTEMS_FUNCTION,
  type FileSystem,
  kubeletLimits,
  limitsOf,
  parseFileSystems,
  shortages,
} from '../../../kube/eviction.ts';
import { NODE_FILES } from '../../../kube/node-files.ts';
import { BIN_DIR } from '../../../kube/paths.ts';
import { verifiedStamp } from '../../../resources/paths.ts';
import { imageFolder } from '../../image-folder.ts';
import { runsPods } from '../../placement.ts';
import { type CheckHost, defineCheck } from '../check.ts';

const MIB = 1024;
/** What a first build writes to a host with every role, as measured on the lab, KiB: images; binaries; the rest. */
const IMAGES = 512 * MIB;
const WRITES: Readonly<Record<string, number>> = { '/usr/local': 700 * MIB, '/var/lib': 512 * MIB };

export default defineCheck({
  name: 'eviction',
  about: 'disk',
  title: "The kubelet's eviction thresholds",
  inspects:
    'Free space, inodes and memory against the thresholds of the kubelet in the spec (`evictionHard`, `evictionSoft`; by default 15 % of the file system of images, 10 % of that of the kubelet, 100 MiB of memory), including what a first build writes, on control planes and workers. Links and mounts are followed. On a running node only thresholds that the build would change; the health check covers the rest.',
  codes: ['NODE_WOULD_EVICT'],
  load: async ({ cluster, host, phases }) =>
    runsPods(host) ? imageFolder({ cluster, phases: [...phases.values()] }, host) : null,
  probe: {
    script: `
stamp=$1 config=$2 program=$3
shift 3
if [ -e "$stamp" ]; then
  say state joined
  [ ! -r "$config" ] || awk '/^[^ ]/ { on = /^(evictionHard|evictionSoft|mergeDefaultEvictionSettings):/ } on' "$config" |
    while IFS= read -r line; do say config "$line"; done
elif [ -e "$program" ]; then
  say state begun
else
  say state fresh
fi
${FILE_SYSTEMS_FUNCTION}
file_systems "$@"`,
    args(of) {
      const { kubeletRoot } = limits(of);
      const writes = Object.keys(WRITES).flatMap((folder) => ['writes', folder]);
      return [
        verifiedStamp('nodes'),
        NODE_FILES.kubeletConfig,
        // Not the mark of the cluster: a build writes that before preflight looks, and a dry run does not.
        `${BIN_DIR}/kubelet`,
        'nodefs',
        kubeletRoot,
        'imagefs',
        of.loaded,
        ...writes,
      ];
    },
  },
  evaluate(input, rows) {
    const { fileSystems, memoryKiB } = parseFileSystems(rows);
    const state = rows.find(([kind]) => kind === 'state')?.[1];
    const wanted = limits(input);
    if (state === 'joined') {
      // What holds already is part of the health of the cluster: no build mends it, and none makes it worse.
      const present = limitsOf(configOf(rows), {}, wanted);
      const already = new Set(shortages(present, fileSystems, memoryKiB).map(({ signal }) => signal));
      const found = shortages(wanted, fileSystems, memoryKiB).filter(({ signal }) => !already.has(signal));
      return found.map((each) => problem(each, 'with the thresholds that the build would set'));
    }
    // A build that was begun has written a part of it already.
    const writes = state === 'fresh' ? (fs: FileSystem) => writesTo(fs, fileSystems) : undefined;
    return shortages(wanted, fileSystems, memoryKiB, writes).map((each) => problem(each, 'at once'));
  },
});

const limits = ({ cluster, host }: CheckHost) => kubeletLimits(cluster, host);

const problem = ({ message, evidence }: { message: string; evidence: string }, when: string) => ({
  code: 'NODE_WOULD_EVICT' as const,
  message: `the kubelet would evict pods ${when}: ${message}`,
  evidence,
});

/** What a first build writes to this file system. */
function writesTo(fs: FileSystem, all: readonly FileSystem[]): number {
  return all
    .filter(({ device, mountPoint }) => device === fs.device && mountPoint === fs.mountPoint)
    .reduce((sum, { use, folder }) => sum + (use === 'imagefs' ? IMAGES : (WRITES[folder] ?? 0)), 0);
}

/** The part of the kubelet's present configuration that is about eviction. */
function configOf(rows: readonly (readonly string[])[]): Record<string, unknown> {
  try {
    const lines = rows.flatMap(([kind, line = '']) => (kind === 'config' ? [line] : []));
    const config: unknown = parse(lines.join('\n'));
    return typeof config === 'object' && config !== null ? (config as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
