import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ImageFile } from '../../../activities/artifacts/image.ts';
import type { GoRecipe } from '../../../activities/artifacts/mirror-recipe.ts';
import type { GoWorkshop } from '../go/workshop.ts';
import { type ImageConfig, writeOciTar } from '../oci.ts';
import { addRootBasics } from '../rootfs.ts';
import type { Origin, Source, SourceContext } from '../types.ts';

/** Fills `rootfs` and says where its content came from. `Needed`: what it takes of the context of its source. */
export type FillRoot<Needed extends keyof SourceContext = 'workDir' | 'report' | 'arch'> = (
  rootfs: string,
  context: Pick<SourceContext, Needed>,
) => Promise<{ origin: Origin; source: string }>;

/** An image made here from a root folder. */
export function imageSource(image: ImageFile, config: ImageConfig, fill: FillRoot<keyof SourceContext>): Source {
  return {
    name: 'lab-image',
    async supply(context) {
      const rootfs = join(context.workDir, 'rootfs');
      const stage = join(context.workDir, 'stage');
      await mkdir(rootfs, { recursive: true });
      await mkdir(stage, { recursive: true });
      const { origin, source } = await fill(rootfs, context);
      context.report('build', { message: `packing the image ${image.name}` });
      const path = join(context.workDir, 'image.tar');
      await writeOciTar({ rootfs, config, arch: image.arch, tag: image.version, stage, target: path });
      return [{ mirrorPath: image.mirrorPath, path, origin, source }];
    },
  };
}

/** The root of an image that holds one program built from Go, and certificates. */
export function goProgramRoot(recipe: GoRecipe, name: string, workshop: GoWorkshop): FillRoot {
  return async (rootfs, { report }) => {
    const source = `${recipe.module}@${recipe.version}`;
    const built = await workshop.build(recipe, (message) => report('build', { source, message }));
    const target = join(rootfs, name);
    await mkdir(dirname(target), { recursive: true });
    await rename(built.outputs.get(name) ?? '', target);
    await addRootBasics(rootfs, { certificates: true });
    return { origin: 'go-build', source: built.source };
  };
}
