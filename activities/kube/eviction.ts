import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import { rawPhaseOptions } from '../phases/options.ts';
import { kubeletOptionsIn, kubeletSettings } from './options/kubelet.ts';

/** Signals of the kubelet that a host's own tools can measure. */
const SIGNALS = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
] as const;
type Signal = (typeof SIGNALS)[number];

/** DefaultEvictionHard of Kubernetes 1.36 on Linux (pkg/kubelet/apis/config/v1beta1/defaults_linux.go). */
const DEFAULT_HARD: Readonly<Record<Signal, string>> = {
  'memory.available': '100Mi',
  'nodefs.available': '10%',
  'nodefs.inodesFree': '5%',
  'imagefs.available': '15%',
  'imagefs.inodesFree': '5%',
};
/** The kubelet's default of imageGCHighThresholdPercent. */
const DEFAULT_IMAGE_GC = 85;
export const KUBELET_ROOT = '/var/lib/kubelet';

/** What one kubelet does when its host runs short. */
export interface KubeletLimits {
  /** It evicts pods where less is left; `value` as written: `15%`, `100Mi`, `2000000`. */
  evictBelow: { signal: Signal; kind: 'hard' | 'soft'; value: string }[];
  /** It deletes unused images where more of their file system is used, percent; 100: never. */
  imageGcAbove: number;
  /** Folder on its nodefs. That on its imagefs is the `imageFolder` of the container runtime. */
  kubeletRoot: string;
}

/** Free space of a folder's file system, from `df`. Links are followed. */
export interface FileSystem {
  /** `writes`: a folder that a build fills. */
  use: 'nodefs' | 'imagefs' | 'etcd' | 'writes';
  folder: string;
  device: string;
  mountPoint: string;
  sizeKiB: number;
  freeKiB: number;
  /** 0 where the file system counts none (btrfs). */
  inodes: number;
  freeInodes: number;
}

/** A signal that is, or with what is still to be written will be, below its threshold. */
export interface Shortage {
  signal: Signal;
  message: string;
  evidence: string;
}

type Json = Record<string, unknown>;
const table = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};

/**
 * The thresholds of the kubelet that a host has, or will have: the defaults, typed options and `kubelet.config` over them, flags of
 * `kubelet.extraArgs` over those. As the kubelet itself: a configuration that sets evictionHard sets all of it, unless
 * mergeDefaultEvictionSettings says otherwise. A value that the kubelet would not read counts as not set. Pure.
 */
export function kubeletLimits(cluster: ClusterSpec, host: Host): KubeletLimits {
  const kubelet = table(rawPhaseOptions(cluster, 'nodes', host)['kubelet']);
  const config = { ...kubeletSettings(kubeletOptionsIn(kubelet)), ...table(kubelet['config']) };
  const flags = table(kubelet['extraArgs']);
  const gc = Number(flags['image-gc-high-threshold'] ?? config['imageGCHighThresholdPercent'] ?? DEFAULT_IMAGE_GC);
  return limitsOf(config, flags, {
    imageGcAbove: gc >= 0 && gc <= 100 ? gc : DEFAULT_IMAGE_GC,
    kubeletRoot: text(flags['root-dir']) ?? KUBELET_ROOT,
  });
}

/** The thresholds of a KubeletConfiguration and of flags over it; `rest` is kept. Pure. */
export function limitsOf(config: Json, flags: Json, rest: Omit<KubeletLimits, 'evictBelow'>): KubeletLimits {
  const flagged = (name: string) => (flags[name] === undefined ? undefined : parseFlag(written(flags[name])));
  const hard = flagged('eviction-hard') ?? ownHard(config);
  const soft = flagged('eviction-soft') ?? table(config['evictionSoft']);
  const each = (kind: 'hard' | 'soft', values: Json) =>
    SIGNALS.flatMap((signal) => {
      const value = written(values[signal]);
      return amountOf(value, 1) === null ? [] : [{ signal, kind, value }];
    });
  return { ...rest, evictBelow: [...each('hard', hard), ...each('soft', soft)] };
}

/** A value of the spec as text; '' for what is neither text nor a number. */
const written = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

function ownHard(config: Json): Json {
  const own = config['evictionHard'];
  if (own === undefined || own === null) return DEFAULT_HARD;
  return config['mergeDefaultEvictionSettings'] === true ? { ...DEFAULT_HARD, ...table(own) } : table(own);
}

/** `memory.available<100Mi,nodefs.available<10%` */
function parseFlag(given: string): Json {
  return Object.fromEntries(given.split(',').map((part) => part.split('<', 2).map((word) => word.trim())));
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  ...{ k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15 },
  ...{ Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3, Ti: 1024 ** 4, Pi: 1024 ** 5 },
};

/** A threshold as a number: percent of `total`, or a Kubernetes quantity. Null: it is neither, or it is off (0). */
export function amountOf(value: string, total: number): number | null {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(value);
  if (percent) return Number(percent[1]) > 0 ? (total * Number(percent[1])) / 100 : null;
  const quantity = /^(\d+(?:\.\d+)?(?:e\d{1,2})?)([kMGTP]i?|Ki)?$/.exec(value);
  const unit = quantity && UNITS[quantity[2] ?? ''];
  if (!quantity || unit === undefined || unit === null) return null;
  const amount = Number(quantity[1]) * unit;
  return amount > 0 ? amount : null;
}

/**
 * Signals below their thresholds. `willWriteKiB`: what is still to be written to the file system of a folder; 0 on a host
 * that has everything. Of a signal that is below both its hard and its soft threshold only the hard one is listed. Pure.
 */
export function shortages(
  limits: KubeletLimits,
  fileSystems: readonly FileSystem[],
  memoryKiB: { available: number; total: number } | null,
  willWriteKiB: (fileSystem: FileSystem) => number = () => 0,
): Shortage[] {
  const found = new Map<Signal, Shortage>();
  for (const { signal, kind, value } of limits.evictBelow) {
    if (found.has(signal)) continue;
    const [use, what] = signal.split('.') as [string, string];
    const shortage =
      use === 'memory'
        ? memoryKiB && memoryShortage(memoryKiB, { kind, value })
        : fileSystems
            .filter((each) => each.use === use)
            .map((each) =>
              what === 'available'
                ? spaceShortage(each, { kind, value, writeKiB: willWriteKiB(each) })
                : inodeShortage(each, { kind, value }),
            )
            .find((each) => each !== null);
    if (shortage) found.set(signal, { signal, ...shortage });
  }
  return [...found.values()];
}

type Found = Omit<Shortage, 'signal'> | null;
interface Bound {
  kind: 'hard' | 'soft';
  value: string;
}

function spaceShortage(fs: FileSystem, { kind, value, writeKiB }: Bound & { writeKiB: number }): Found {
  const size = fs.sizeKiB * 1024;
  const bound = amountOf(value, size);
  const free = fs.freeKiB * 1024;
  const left = free - writeKiB * 1024;
  if (bound === null || size === 0 || left >= bound) return null;
  const share = ((100 * free) / size).toFixed(1);
  const willBe = writeKiB > 0 ? `, of which the build fills ${bytes(writeKiB * 1024)}` : '';
  return {
    message: `${placeOf(fs)}: ${bytes(free)} of ${bytes(size)} free (${share} %)${willBe}; the kubelet evicts pods below ${shown(value, bound)}`,
    evidence: `df ${fs.folder}: ${fs.device} on ${fs.mountPoint}, ${fs.sizeKiB} KiB, ${fs.freeKiB} KiB free; eviction${titled(kind)} ${fs.use}.available<${value}`,
  };
}

function inodeShortage(fs: FileSystem, { kind, value }: Bound): Found {
  const bound = amountOf(value, fs.inodes);
  if (bound === null || fs.inodes === 0 || fs.freeInodes >= bound) return null;
  const share = ((100 * fs.freeInodes) / fs.inodes).toFixed(1);
  return {
    message: `${placeOf(fs)}: ${fs.freeInodes} of ${fs.inodes} inodes free (${share} %); the kubelet evicts pods below ${value}`,
    evidence: `df -i ${fs.folder}: ${fs.device} on ${fs.mountPoint}; eviction${titled(kind)} ${fs.use}.inodesFree<${value}`,
  };
}

function memoryShortage({ available, total }: { available: number; total: number }, { kind, value }: Bound): Found {
  const bound = amountOf(value, total * 1024);
  if (bound === null || total === 0 || available * 1024 >= bound) return null;
  return {
    message: `${bytes(available * 1024)} of ${bytes(total * 1024)} memory available; the kubelet evicts pods below ${shown(value, bound)}`,
    evidence: `/proc/meminfo: MemAvailable ${available} KiB; eviction${titled(kind)} memory.available<${value}`,
  };
}

/** The images' file system is fuller than imageGCHighThresholdPercent: the kubelet deletes what no container uses. Pure. */
export function imageGcShortage({ imageGcAbove }: KubeletLimits, fileSystems: readonly FileSystem[]): Found {
  const fs = fileSystems.find(({ use }) => use === 'imagefs');
  if (!fs || fs.sizeKiB === 0 || imageGcAbove >= 100) return null;
  // As the kubelet counts: what is not available to it is used.
  const used = 100 - Math.floor((100 * fs.freeKiB) / fs.sizeKiB);
  if (used < imageGcAbove) return null;
  return {
    message: `${placeOf(fs)} is ${used} % used; the kubelet deletes unused images from ${imageGcAbove} % on`,
    evidence: `df ${fs.folder}: ${fs.device} on ${fs.mountPoint}, ${fs.sizeKiB} KiB, ${fs.freeKiB} KiB free; imageGCHighThresholdPercent ${imageGcAbove}`,
  };
}

const placeOf = ({ use, device, mountPoint, folder }: FileSystem): string =>
  `${use} (${device} on ${mountPoint}, for ${folder})`;
const titled = (word: string): string => word[0]!.toUpperCase() + word.slice(1);
const shown = (value: string, bound: number): string =>
  value.endsWith('%') ? `${value.replace('%', ' %')} (${bytes(bound)})` : bytes(bound);

/** `37.1 GiB`, `512 MiB`. */
export function bytes(amount: number): string {
  const gib = amount / 1024 ** 3;
  return gib >= 1 ? `${gib.toFixed(1)} GiB` : `${Math.round(amount / 1024 ** 2)} MiB`;
}

/**
 * Shell: prints one line `fs <use> <folder> <device> <mount point> <KiB> <KiB free> <inodes> <inodes free>` for each pair of
 * arguments `<use> <folder>`, then `memory <KiB available> <KiB in all>`. A folder that is not there yet counts as its
 * nearest parent; links are followed. Lines are printed by `say WORD...`, which the script around it defines.
 */
export const FILE_SYSTEMS_FUNCTION = `
file_systems() {
  while [ $# -gt 1 ]; do
    use=$1 folder=$2
    shift 2
    there=$folder
    while [ ! -d "$there" ]; do there=\${there%/*}; [ -n "$there" ] || there=/; done
    df -k --output=source,size,avail,itotal,iavail,target -- "$there" 2>/dev/null | {
      read -r _
      read -r device size free inodes ifree mount &&
        say fs "$use" "$folder" "$device" "$mount" "$size" "$free" "$inodes" "$ifree" || :
    }
  done
  while read -r key value _; do
    case $key in MemTotal:) total=$value ;; MemAvailable:) say memory "$value" "$total" ;; esac
  done </proc/meminfo
}
`;

/** Reads the lines `fs` and `memory`, given as words. Lines of other kinds are skipped. Pure. */
export function parseFileSystems(rows: readonly (readonly string[])[]): {
  fileSystems: FileSystem[];
  memoryKiB: { available: number; total: number } | null;
} {
  const count = (word: string | undefined): number => (/^\d{1,18}$/.test(word ?? '') ? Number(word) : 0);
  const fileSystems = rows.flatMap(([kind, use = '', folder = '', device = '', mountPoint = '', ...numbers]) => {
    if (kind !== 'fs' || !['nodefs', 'imagefs', 'etcd', 'writes'].includes(use)) return [];
    const [sizeKiB = 0, freeKiB = 0, inodes = 0, freeInodes = 0] = numbers.map(count);
    return [{ use: use as FileSystem['use'], folder, device, mountPoint, sizeKiB, freeKiB, inodes, freeInodes }];
  });
  const memory = rows.find(([kind]) => kind === 'memory');
  return { fileSystems, memoryKiB: memory ? { available: count(memory[1]), total: count(memory[2]) } : null };
}
