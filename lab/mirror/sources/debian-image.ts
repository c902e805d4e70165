import { copyFile, mkdir, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { MirrorRecipe } from '../../../activities/artifacts/mirror-recipe.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { run } from '../../run.ts';
import { addRootBasics, unpackDebian } from '../rootfs.ts';
import type { FillRoot } from './image.ts';
import { refuseOtherArch } from './other-arch.ts';

type DebianProgram = Pick<Extract<MirrorRecipe, { kind: 'debian-image' }>, 'package' | 'program' | 'at' | 'applets'>;

/** The root of an image with one static program of a Debian package, and links for its applets where it has some. */
export function debianProgramRoot({ package: name, program, at, applets }: DebianProgram): FillRoot {
  return async (rootfs, { workDir, report, arch }) => {
    refuseOtherArch(arch, `Debian's package ${name} is taken from this machine's archive, which has none`);
    report('download', { source: `Debian: ${name}` });
    const unpacked = join(workDir, name);
    const source = await unpackDebian(name, workDir, unpacked);
    // Newer releases have it under /usr.
    const found = await run(['find', unpacked, '-type', 'f', '-path', `*/bin/${program}`]);
    const from = found.stdout.split('\n').find((line) => line !== '');
    if (from === undefined) throw new KubewrightError('LAB_FAILED', `${source} has no program ${program}`);
    const target = join(rootfs, at);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(from, target);
    if (applets) await linkApplets(target);
    await rm(unpacked, { recursive: true });
    await addRootBasics(rootfs, { certificates: false });
    return { origin: 'debian', source: `Debian ${source}` };
  };
}

async function linkApplets(program: string): Promise<void> {
  const own = basename(program);
  const { stdout } = await run([program, '--list']);
  for (const applet of stdout.split('\n').filter((name) => name !== '' && name !== own)) {
    await symlink(own, join(dirname(program), applet));
  }
}
