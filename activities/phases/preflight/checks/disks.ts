import { z } from 'zod';
import { absolutePath } from '../../../../contracts/primitives.ts';
import { defineCheck } from '../check.ts';

export default defineCheck({
  name: 'disks',
  about: 'disk',
  title: 'Free space',
  inspects: '`df` of the folders of the option `minFreeMiB`, on every host.',
  codes: ['DISK_FULL'],
  options: {
    minFreeMiB: z
      .record(absolutePath, z.int().min(0).max(10_000_000))
      // Binaries take 700 MiB under /usr/local, images and etcd the rest; a second build finds them in place.
      .default({ '/var/lib': 1024, '/usr/local': 512, '/etc': 8 })
      .describe('Minimum free space of each folder'),
  },
  probe: {
    script: `
for folder; do
  there=$folder
  while [ ! -d "$there" ]; do there=\${there%/*}; [ -n "$there" ] || there=/; done
  df -P -k -- "$there" | { read -r _; read -r fs _ _ free _ on; say "$folder" "$free" "$on" "$fs"; }
done`,
    args: ({ options }) => Object.keys(options.minFreeMiB),
  },
  evaluate({ options }, rows) {
    return rows.flatMap(([folder = '', freeKiB, mountPoint, device]) => {
      const wanted = options.minFreeMiB[folder] ?? 0;
      const free = Math.floor(Number(freeKiB) / 1024);
      if (free >= wanted) return [];
      const message = `${free} MiB free for ${folder}, at least ${wanted} are wanted`;
      return [{ code: 'DISK_FULL' as const, message, evidence: `df: ${device} on ${mountPoint}, ${free} MiB free` }];
    });
  },
});
