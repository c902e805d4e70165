import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactFile } from '../../../activities/artifacts/artifact.ts';
import { run } from '../../run.ts';
import { addRootBasics } from '../rootfs.ts';
import type { FillRoot } from './image.ts';

/** Where the PATH of our images finds programs. */
const FOLDER = 'usr/local/bin';

/** The root of an image with the programs of an artifact that the mirror has already, and certificates. */
export function artifactRoot(artifact: ArtifactFile): FillRoot<'root' | 'workDir' | 'report'> {
  return async (rootfs, { root, workDir, report }) => {
    const source = `${artifact.artifact} ${artifact.version} of this mirror`;
    report('build', { source });
    const folder = join(rootfs, FOLDER);
    await mkdir(folder, { recursive: true });
    const from = join(root, artifact.mirrorPath);
    if (artifact.format === 'binary') {
      await copyFile(from, join(folder, artifact.members[0]!.name));
    } else {
      const unpacked = join(workDir, 'unpacked');
      await mkdir(unpacked);
      await run(['tar', '-C', unpacked, '-xzf', from, ...artifact.members.map(({ path }) => path)]);
      for (const { path, name } of artifact.members) await rename(join(unpacked, path), join(folder, name));
      await rm(unpacked, { recursive: true });
    }
    await run(['chmod', '0755', ...artifact.members.map(({ name }) => join(folder, name))]);
    await addRootBasics(rootfs, { certificates: true });
    return { origin: 'lab', source };
  };
}
