import type { Host } from '../../../../contracts/host.ts';
import * as paths from '../../../kube/paths.ts';
import { STATE_DIR } from '../../../resources/paths.ts';
import { runsPods } from '../../placement.ts';
import { defineCheck } from '../check.ts';

/** Folders that we write to, and those of them from which programs are run. */
function foldersOf(host: Host): { run: string[]; write: string[] } {
  const run = [paths.BIN_DIR, '/usr/local/lib', ...(runsPods(host) ? [paths.CNI_BIN_DIR] : [])];
  return { run, write: [...run, '/etc', '/etc/systemd/system', STATE_DIR, '/var/lib', '/var/log'] };
}

export default defineCheck({
  name: 'mount-options',
  about: 'disk',
  title: 'Mount options',
  inspects:
    'The mount options (`findmnt`) of the file systems of our files, on every host: none may be read-only, and those with programs may not be `noexec`.',
  codes: ['MOUNT_OPTIONS_UNUSABLE'],
  probe: {
    script: `
for folder; do
  there=$folder
  while [ ! -d "$there" ]; do there=\${there%/*}; [ -n "$there" ] || there=/; done
  found=$(findmnt -n -r -o OPTIONS,TARGET -T "$there" 2>/dev/null | tail -n 1) || continue
  [ -z "$found" ] || say "$folder" "\${found%% *}" "\${found#* }"
done`,
    args: ({ host }) => [...new Set(foldersOf(host).write)],
  },
  evaluate({ host }, rows) {
    const { run } = foldersOf(host);
    const bad = new Map<string, { option: string; folders: string[]; options: string }>();
    for (const [folder = '', options = '', target = ''] of rows) {
      const set = new Set(options.split(','));
      const option = set.has('ro') ? 'ro' : set.has('noexec') && run.includes(folder) ? 'noexec' : null;
      if (option === null) continue;
      const known = bad.get(`${option} ${target}`) ?? { option, folders: [], options };
      known.folders.push(folder);
      bad.set(`${option} ${target}`, known);
    }
    return [...bad].map(([key, { option, folders, options }]) => {
      const target = key.slice(option.length + 1);
      const what = option === 'ro' ? 'read-only, and files of the cluster go to' : 'noexec, and programs are run from';
      return {
        code: 'MOUNT_OPTIONS_UNUSABLE' as const,
        message: `${target} is mounted ${what} ${folders.join(', ')}`,
        evidence: `findmnt ${folders[0]}: ${target} ${options}`,
      };
    });
  },
});
