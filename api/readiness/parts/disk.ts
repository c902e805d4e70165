import { statfs } from 'node:fs/promises';
import { type Check, defineReadiness } from '../readiness.ts';

const MIB = 1024 * 1024;
/** Without a configured threshold: this much, or a part of a small file system. */
const LEAST_MIB = 100;
const LEAST_PART = 0.05;

export interface DiskCheckOptions {
  /** Folders that must take new data, each with its name in the answer. Those that do not exist are left out. */
  folders: readonly { name: string; path: string }[];
  /** Free space wanted, MiB; undefined: 100 MiB, or 5 % of a file system below 2 GiB. */
  minFreeMiB?: number | undefined;
}

/** File systems that we write to have room. */
export function diskCheck({ folders, minFreeMiB }: DiskCheckOptions): Check {
  return {
    name: 'disk',
    meaning: 'The disks that the service writes to have free space',
    async run() {
      for (const { name, path } of folders) {
        const info = await statfs(path).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return null;
          throw error;
        });
        if (!info) continue;
        const free = (info.bavail * info.bsize) / MIB;
        const wanted = minFreeMiB ?? Math.min(LEAST_MIB, (info.blocks * info.bsize * LEAST_PART) / MIB);
        if (free >= wanted) continue;
        const cause = `the file system of the ${name} has too little free space`;
        const evidence = new Error(`${path}: ${Math.floor(free)} MiB free, ${Math.ceil(wanted)} MiB required`);
        return { state: 'full', cause, evidence };
      }
      return { state: 'ok' };
    },
  };
}

export default defineReadiness(({ config, embedded }) => {
  const folders = [
    { name: 'data directory', path: config.dataDir },
    // Programs and bundles: written by this service only when it starts its own worker and Temporal.
    ...(embedded ? [{ name: 'cache', path: embedded.cacheDir }] : []),
  ];
  return diskCheck({ folders, minFreeMiB: config.minFreeMiB });
});
