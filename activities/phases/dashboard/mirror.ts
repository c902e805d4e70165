import type { MirrorRecipe } from '../../artifacts/mirror-recipe.ts';
import { KUBE_WEB_VIEW } from './artifacts.ts';

/** Headlamp's front end cannot be built from modules: its image is there on an open network, or brought by hand. */
export default [
  {
    kind: 'python-image',
    image: KUBE_WEB_VIEW,
    requirements: (version) => [`kube-web-view==${version}`, 'markupsafe<2.1'],
    module: 'kube_web',
    user: '65532:65532',
  },
] satisfies MirrorRecipe[];
