import {
  type Arch,
  type ArtifactFile,
  type ArtifactName,
  artifact,
  KUBERNETES_BINARIES,
} from '../../activities/artifacts/catalogue.ts';
import { type ImageName, image } from '../../activities/artifacts/images.ts';
import type { GoRecipe } from './go/recipe.ts';
import * as recipes from './go/recipes.ts';
import type { GoWorkshop } from './go/workshop.ts';
import type { ImageConfig } from './oci.ts';
import { busyboxRoot, pauseRoot } from './sources/debian-images.ts';
import { goBuildSource } from './sources/go-build.ts';
import { type FillRoot, goProgramRoot, imageSource } from './sources/image.ts';
import { KUBE_WEB_VIEW_ENV, kubeWebViewRoot } from './sources/kube-web-view.ts';
import { pullSource } from './sources/pull.ts';
import { releaseSource } from './sources/release.ts';
import type { Web } from './sources/web.ts';
import type { MirrorUnit } from './types.ts';

/**
 * All units of a mirror, in the order in which they should start: the longest build first, those that share compiled
 * packages with it after it. Debian's own packages of etcd, containerd, runc, CNI plugins and registry are a source for
 * none: no release has the catalogue's versions, and a path of the mirror names the version exactly.
 */
export function mirrorUnits(options: {
  arch: Arch;
  kubernetesVersion: string;
  workshop: GoWorkshop;
  web: Web;
}): MirrorUnit[] {
  const { arch, kubernetesVersion, workshop, web } = options;

  const files = (name: string, list: readonly ArtifactFile[], recipe: GoRecipe, after: string[] = []): MirrorUnit => ({
    name,
    files: list,
    sources: [releaseSource(list, web), goBuildSource(list, recipe, workshop)],
    after,
  });
  const one = (name: ArtifactName, recipe: (version: string) => GoRecipe, after?: string[]): MirrorUnit => {
    const file = artifact(name).file(arch);
    return files(name, [file], recipe(file.version), after);
  };
  const imageUnit = (
    name: ImageName,
    config: ImageConfig,
    fill: (version: string) => FillRoot,
    more: Pick<MirrorUnit, 'after'> & { light?: boolean },
  ): MirrorUnit => {
    const file = image(name, arch);
    return { name: `image/${name}`, files: [file], sources: [imageSource(file, config, fill(file.version))], ...more };
  };
  const goImage = (name: ImageName, user: string, recipe: (version: string) => GoRecipe): MirrorUnit =>
    imageUnit(name, { entrypoint: [`/${name}`], user }, (version) => goProgramRoot(recipe(version), name, workshop), {
      after: ['kubernetes'],
    });

  const headlamp = image('headlamp', arch);
  const kubernetesFiles = KUBERNETES_BINARIES.map((name) => artifact(name, kubernetesVersion).file(arch));
  return [
    files('kubernetes', kubernetesFiles, recipes.kubernetesRecipe(kubernetesVersion)),
    one('runc', recipes.runcRecipe),
    one('cni-plugins', recipes.cniPluginsRecipe),
    one('containerd', recipes.containerdRecipe, ['kubernetes']),
    one('etcd', recipes.etcdRecipe, ['kubernetes']),
    one('registry', recipes.registryRecipe, ['kubernetes']),
    one('flannel', recipes.flannelRecipe, ['kubernetes']),
    // The users of the official images: nonroot of distroless, and 65534.
    goImage('coredns', '65532:65532', recipes.corednsRecipe),
    goImage('metrics-server', '65534:65534', recipes.metricsServerRecipe),
    imageUnit('pause', { entrypoint: ['/pause', '-P'], user: '65535:65535' }, () => pauseRoot, {
      after: [],
      light: true,
    }),
    imageUnit('busybox', { entrypoint: [], cmd: ['sh'] }, () => busyboxRoot, { after: [], light: true }),
    imageUnit(
      'kube-web-view',
      {
        entrypoint: ['/usr/bin/python3', '-m', 'kube_web'],
        user: '65532:65532',
        env: KUBE_WEB_VIEW_ENV,
      },
      kubeWebViewRoot,
      { after: [], light: true },
    ),
    // Its front end cannot be built from modules: there on an open network, or brought by hand.
    {
      name: 'image/headlamp',
      files: [headlamp],
      sources: [pullSource(headlamp, web)],
      after: [],
      light: true,
      optional: true,
    },
  ];
}
