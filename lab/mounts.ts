import { readFile } from 'node:fs/promises';
import { run, tryRun } from './run.ts';

/** One line of /proc/self/mountinfo. */
export interface Mount {
  path: string;
  type: string;
  /** Options of the file system, such as a v1 hierarchy's controllers. */
  options: string[];
}

/** All mounts that this process sees, in the order they were made. */
export async function mounts(): Promise<Mount[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [type = '', , options = ''] = after.split(' ');
      // Blanks in paths are written as \040 (proc(5)).
      const path = (before.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      );
      return { path, type, options: options.split(',') };
    });
}

/** Mounts the overlay of a host and its plain /var folder. */
export async function mountHost(
  base: string,
  at: { root: string; upper: string; work: string; data: string },
): Promise<void> {
  const options = `lowerdir=${base},upperdir=${at.upper},workdir=${at.work}`;
  await run(['mount', '-t', 'overlay', 'overlay', '-o', options, at.root]);
  await run(['mount', '--bind', at.data, `${at.root}/var`]);
}

/** Unmounts everything at or below a folder, innermost first. */
export async function unmountBelow(folder: string): Promise<void> {
  const below = (await mounts()).filter(({ path }) => path === folder || path.startsWith(`${folder}/`));
  for (const { path } of below.reverse()) {
    const { code } = await tryRun(['umount', path]);
    // A process may use it (a shell of the operator's): detach it then, it goes when the process ends.
    if (code !== 0) await run(['umount', '--lazy', path]);
  }
}
