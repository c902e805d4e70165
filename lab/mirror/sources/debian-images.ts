import { copyFile, mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../run.ts';
import { addRootBasics, unpackDebian } from '../rootfs.ts';
import type { FillRoot } from './image.ts';

/** Debian's catatonit is static and knows `-P`: wait for ever and reap, which is all that a pause container does. */
export const pauseRoot: FillRoot = async (rootfs, { workDir, report }) => {
  report('download', { source: 'Debian: catatonit' });
  const unpacked = join(workDir, 'catatonit');
  const source = await unpackDebian('catatonit', workDir, unpacked);
  await copyFile(join(unpacked, 'usr', 'bin', 'catatonit'), join(rootfs, 'pause'));
  await addRootBasics(rootfs, { certificates: false });
  return { origin: 'debian', source: `Debian ${source}` };
};

/** Debian's static busybox with a link for every applet. */
export const busyboxRoot: FillRoot = async (rootfs, { workDir, report }) => {
  report('download', { source: 'Debian: busybox-static' });
  const unpacked = join(workDir, 'busybox');
  const source = await unpackDebian('busybox-static', workDir, unpacked);
  const bin = join(rootfs, 'bin');
  await mkdir(bin, { recursive: true });
  // Newer releases have it under /usr.
  const [from] = (await run(['find', unpacked, '-type', 'f', '-path', '*/bin/busybox'])).stdout.split('\n');
  const busybox = join(bin, 'busybox');
  await copyFile(from ?? '', busybox);
  const { stdout } = await run([busybox, '--list']);
  for (const applet of stdout.split('\n').filter((name) => name !== '' && name !== 'busybox')) {
    await symlink('busybox', join(bin, applet));
  }
  await rm(unpacked, { recursive: true });
  await addRootBasics(rootfs, { certificates: false });
  return { origin: 'debian', source: `Debian ${source}` };
};
