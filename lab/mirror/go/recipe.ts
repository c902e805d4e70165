import type { GoRecipe } from '../../../activities/artifacts/mirror-recipe.ts';

/** What the manifest says about a file that was built this way. */
export function describeRecipe(recipe: GoRecipe, goVersion: string, likeKubernetes: string): string {
  const parts = [`${recipe.module}@${recipe.version}`, `built with ${goVersion}`];
  if (recipe.tags?.length) parts.push(`tags ${recipe.tags.join(',')}`);
  for (const { file } of recipe.edits ?? []) parts.push(`with a change of ${file}`);
  if (recipe.main) parts.push('without cloud drivers');
  if (recipe.likeKubernetes) parts.push(`module versions as in Kubernetes ${likeKubernetes}`);
  return parts.join(', ');
}
