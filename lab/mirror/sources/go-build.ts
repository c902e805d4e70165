import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ArtifactFile } from '../../../activities/artifacts/artifact.ts';
import type { GoRecipe } from '../../../activities/artifacts/mirror-recipe.ts';
import { ensureDebianPackages } from '../../debian.ts';
import type { GoWorkshop } from '../go/workshop.ts';
import { packTarGz } from '../tar.ts';
import type { Source, SuppliedFile } from '../types.ts';
import { refuseOtherArch } from './other-arch.ts';

/** What a C build needs: runc links libseccomp. */
export const CGO_DEBIAN_PACKAGES = ['gcc', 'libc6-dev', 'libseccomp-dev', 'pkg-config'] as const;

/** Builds the files of one project and packs them as its release does, under the same names. */
export function goBuildSource(files: readonly ArtifactFile[], recipe: GoRecipe, workshop: GoWorkshop): Source {
  return {
    name: 'go-build',
    async supply({ workDir, report, arch }) {
      const source = `${recipe.module}@${recipe.version}`;
      if (recipe.cgo) refuseOtherArch(arch, `${source} needs a C compiler`);
      if (recipe.cgo) await ensureDebianPackages(CGO_DEBIAN_PACKAGES);
      const built = await workshop.build(recipe, (message) => report('build', { source, message }));
      const supplied: SuppliedFile[] = [];
      for (const [index, file] of files.entries()) {
        const path =
          file.format === 'binary'
            ? outputOf(built.outputs, file.members[0]?.name ?? '')
            : await pack(file, built.outputs, join(workDir, `${index}`));
        supplied.push({ mirrorPath: file.mirrorPath, path, origin: 'go-build', source: built.source });
      }
      return supplied;
    },
  };
}

async function pack(file: ArtifactFile, outputs: ReadonlyMap<string, string>, stage: string): Promise<string> {
  for (const member of file.members) {
    const target = join(stage, member.path);
    await mkdir(dirname(target), { recursive: true });
    await rename(outputOf(outputs, member.name), target);
  }
  const archive = `${stage}.tar.gz`;
  await packTarGz(
    stage,
    file.members.map((member) => member.path),
    archive,
  );
  return archive;
}

function outputOf(outputs: ReadonlyMap<string, string>, name: string): string {
  const path = outputs.get(name);
  if (path === undefined) throw new Error(`the build recipe gives no ${name}`);
  return path;
}
