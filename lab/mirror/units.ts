import type { Arch, Artifact, ArtifactFile } from '../../activities/artifacts/artifact.ts';
import type { Image, ImageFile } from '../../activities/artifacts/image.ts';
import type { MirrorRecipe } from '../../activities/artifacts/mirror-recipe.ts';
import type { Catalogue } from '../../activities/phases/catalogue.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { GoWorkshop } from './go/workshop.ts';
import type { ImageConfig } from './oci.ts';
import { artifactRoot } from './sources/artifact-image.ts';
import { debianProgramRoot } from './sources/debian-image.ts';
import { goBuildSource } from './sources/go-build.ts';
import { goSetSource, setFiles } from './sources/go-set.ts';
import { type FillRoot, goProgramRoot, imageSource } from './sources/image.ts';
import { pullSource } from './sources/pull.ts';
import { pythonProgramConfig, pythonProgramRoot } from './sources/python-image.ts';
import { releaseSource } from './sources/release.ts';
import type { Web } from './sources/web.ts';
import type { MirrorUnit, SourceContext } from './types.ts';

/** Unit of Kubernetes' own binaries. */
const KUBERNETES_UNIT = 'kubernetes';
const KUBERNETES_MODULE = 'k8s.io/kubernetes';

export interface UnitOptions {
  arch: Arch;
  kubernetesVersion: string;
  workshop: GoWorkshop;
  web: Web;
  catalogue: Catalogue;
  recipes: readonly MirrorRecipe[];
}

/**
 * All units of a mirror, in the order in which they should start: what waits for no other first, then the longest build
 * first. Debian's own packages of etcd, containerd, runc, CNI plugins and registry are a source for none: no release has the
 * catalogue's versions, and a path of the mirror names the version exactly. Throws INTERNAL for a recipe of something that the
 * catalogue does not have, and for two recipes of the same.
 */
export function mirrorUnits(options: UnitOptions): MirrorUnit[] {
  const { catalogue, recipes, web } = options;
  const known = new Set<Artifact | Image>([...catalogue.artifacts, ...catalogue.images]);
  const made = new Set<Artifact | Image>();
  for (const entry of recipes.flatMap(madeBy)) {
    const problem = made.has(entry) ? 'has two mirror recipes' : 'is not in the catalogue and has a mirror recipe';
    if (made.has(entry) || !known.has(entry))
      throw new KubewrightError('INTERNAL', `${entry.kind} ${entry.name} ${problem}`);
    made.add(entry);
  }
  const onDemand = (entries: readonly (Artifact | Image)[]): Pick<MirrorUnit, 'onDemand'> =>
    entries.every((entry) => entry.onDemand) ? { onDemand: { phase: catalogue.phaseOf(entries[0]!) } } : {};
  const started = [...recipes].sort((a, b) => rank(a) - rank(b) || secondsOf(b) - secondsOf(a));
  const downloads = catalogue.artifacts.filter((artifact) => !made.has(artifact));
  const pulls = catalogue.images.filter((image) => !made.has(image));
  return [
    ...started.map((recipe): MirrorUnit => ({ ...unitOf(recipe, options), ...onDemand(madeBy(recipe)) })),
    ...downloads.map((artifact): MirrorUnit => {
      const file = fileOf(artifact, options);
      const unit = { name: artifact.name, files: [file], sources: [releaseSource([file], web)], after: [] };
      return { ...unit, light: true, ...onDemand([artifact]) };
    }),
    ...pulls.map((image): MirrorUnit => {
      const file = imageFileOf(image, options);
      const unit = { name: `image/${image.name}`, files: [file], sources: [pullSource(file, web)] };
      return { ...unit, after: [], light: true, optional: !image.required, ...onDemand([image]) };
    }),
  ];
}

function madeBy(recipe: MirrorRecipe): readonly (Artifact | Image)[] {
  if (recipe.kind === 'go') return recipe.artifacts;
  if (recipe.kind !== 'go-set') return [recipe.image];
  return [...recipe.artifacts.map(({ artifact }) => artifact), ...recipe.images.map(({ image }) => image)];
}

const fileOf = (
  { file, followsKubernetes, version }: Artifact,
  { arch, kubernetesVersion }: UnitOptions,
): ArtifactFile => file(followsKubernetes ? kubernetesVersion : version, arch);

const imageFileOf = ({ file, followsKubernetes }: Image, { arch, kubernetesVersion }: UnitOptions): ImageFile =>
  followsKubernetes ? file(arch, `v${kubernetesVersion}`) : file(arch);

/** The unit that makes an artifact. */
const unitNameOf = (artifact: Artifact, recipes: readonly MirrorRecipe[]): string => {
  const made = recipes.find((recipe) => recipe.kind === 'go' && recipe.artifacts.includes(artifact));
  return made?.kind === 'go' ? (made.unit ?? made.artifacts[0]!.name) : artifact.name;
};

/** A build that shares compiled packages with Kubernetes comes after it. */
function afterOf(recipe: MirrorRecipe): string[] {
  if (!('build' in recipe) || ('unit' in recipe && recipe.unit === KUBERNETES_UNIT)) return [];
  const { likeKubernetes, module } = recipe.build('0.0.0');
  return likeKubernetes || module === KUBERNETES_MODULE ? [KUBERNETES_UNIT] : [];
}

const secondsOf = (recipe: MirrorRecipe): number => ('seconds' in recipe ? recipe.seconds : 0);

/** Builds that need not wait, builds that do, and last what waits for the network only. */
const rank = (recipe: MirrorRecipe): number => (!('build' in recipe) ? 2 : afterOf(recipe).length > 0 ? 1 : 0);

function unitOf(recipe: MirrorRecipe, options: UnitOptions): MirrorUnit {
  const { arch, workshop, web } = options;
  const after = afterOf(recipe);
  if (recipe.kind === 'go') {
    const files = recipe.artifacts.map((artifact) => fileOf(artifact, options));
    const name = recipe.unit ?? recipe.artifacts[0]!.name;
    const go = recipe.build(files[0]!.version);
    return { name, files, sources: [releaseSource(files, web), goBuildSource(files, go, workshop)], after };
  }
  if (recipe.kind === 'go-set') {
    const version = madeBy(recipe)[0]!.version;
    return {
      ...{ name: recipe.unit, files: setFiles(recipe, arch), after },
      sources: [goSetSource(recipe, recipe.build(version), workshop)],
    };
  }
  const { image } = recipe;
  const file = imageFileOf(image, options);
  const unit = (config: ImageConfig, fill: FillRoot<keyof SourceContext>) => ({
    name: `image/${image.name}`,
    files: [file],
    sources: [imageSource(file, config, fill)],
    after,
  });
  switch (recipe.kind) {
    case 'go-image': {
      const { user, build } = recipe;
      const program = image.name;
      return unit({ entrypoint: [`/${program}`], user }, goProgramRoot(build(image.version), program, workshop));
    }
    case 'artifact-image': {
      const { artifact } = recipe;
      const fill = artifactRoot(fileOf(artifact, options));
      return { ...unit({ entrypoint: [] }, fill), after: [unitNameOf(artifact, options.recipes)] };
    }
    case 'debian-image':
      return { ...unit(processOf(recipe), debianProgramRoot(recipe)), light: true };
    case 'python-image':
      return { ...unit(pythonProgramConfig(recipe), pythonProgramRoot(recipe)), light: true };
  }
}

const processOf = ({ entrypoint, cmd, user }: ImageConfig): ImageConfig => ({
  entrypoint,
  ...(cmd ? { cmd } : {}),
  ...(user === undefined ? {} : { user }),
});

/**
 * The units that a run fills: those named in `only`, or all that are part of every mirror, and what `with` names: phases, or units,
 * that are on demand. Throws ARTIFACT_UNKNOWN for a name that no unit has. Pure.
 */
export function chooseUnits(
  units: readonly MirrorUnit[],
  { only, with: more = [] }: { only?: readonly string[]; with?: readonly string[] },
): MirrorUnit[] {
  const isAsked = ({ name, onDemand }: MirrorUnit) =>
    more.includes(name) || (onDemand !== undefined && onDemand.phase !== null && more.includes(onDemand.phase));
  const known = new Set(units.flatMap(({ name, onDemand }) => [name, ...(onDemand?.phase ? [onDemand.phase] : [])]));
  const unknown = [...(only ?? []), ...more].find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new KubewrightError('ARTIFACT_UNKNOWN', `the mirror has no unit ${unknown}`, {
      evidence: `units, and phases with units of their own: ${[...known].join(', ')}`,
    });
  }
  return units.filter((unit) => isAsked(unit) || (only ? only.includes(unit.name) : unit.onDemand === undefined));
}
