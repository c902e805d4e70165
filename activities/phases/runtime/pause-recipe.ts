import type { Image } from '../../artifacts/image.ts';
import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';

/** Debian's catatonit is static and knows `-P`: wait for ever and reap, which is all that a pause container does. */
export const pauseRecipe = (image: Image): MirrorRecipe => ({
  kind: 'debian-image',
  image,
  package: 'catatonit',
  program: 'catatonit',
  at: 'pause',
  entrypoint: ['/pause', '-P'],
  user: '65535:65535',
});
