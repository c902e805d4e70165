import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { BUSYBOX } from './artifacts.ts';

export default [
  {
    kind: 'debian-image',
    image: BUSYBOX,
    package: 'busybox-static',
    program: 'busybox',
    at: 'bin/busybox',
    applets: true,
    entrypoint: [],
    cmd: ['sh'],
  },
] satisfies MirrorRecipe[];
