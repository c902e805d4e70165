import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { MirrorRecipe } from '../../activities/artifacts/mirror-recipe.ts';
import shared from '../../activities/kube/mirror.ts';

/** Where our phases are. */
const PHASES = new URL('../../activities/phases/', import.meta.url);

/** The recipes of what several phases share, and of the `mirror.ts` in each phase's folder in `folders` (default: our phases). */
export async function scanRecipes(folders: readonly URL[] = [PHASES]): Promise<MirrorRecipe[]> {
  const recipes: MirrorRecipe[] = [...shared];
  for (const folder of folders) {
    for (const name of (await readdir(folder)).sort()) {
      const file = new URL(`${name}/mirror.ts`, folder);
      if (!existsSync(file)) continue;
      const module = (await import(file.href)) as { default: readonly MirrorRecipe[] };
      recipes.push(...module.default);
    }
  }
  return recipes;
}
