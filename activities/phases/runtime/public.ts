/** The image that holds the namespaces of each pod, for other runtimes. */
export { PAUSE } from './artifacts.ts';
export { pauseRecipe } from './pause-recipe.ts';
export { PODS_TEARDOWN } from './teardown-script.ts';
