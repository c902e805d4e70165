import { KubewrightError } from '../../../../contracts/errors.ts';
import { ARCHES, type Arch, isArch, type RequiredArtifact } from '../../../artifacts/artifact.ts';
import type { ArtifactSource } from '../../../artifacts/source.ts';
import { imageFiles } from '../../../kube/images.ts';
import { requirementsOfCluster, requirementsOn } from '../../requires.ts';
import { defineCheck } from '../check.ts';

/** Something that the mirror has for other machines than these. */
interface Lacking {
  arch: Arch;
  /** Name and version of an artifact, or of an image after the word `image`. */
  what: string;
}

/** Names in a text at most. */
const MAX_SHOWN = 12;

const lackingOf = (what: string, there: readonly Arch[]): Lacking[] =>
  there.length === 0 ? [] : ARCHES.filter((arch) => !there.includes(arch)).map((arch) => ({ arch, what }));

/** The architectures that the mirror has an artifact for. Throws MIRROR_UNUSABLE. */
async function archesOf(artifacts: ArtifactSource, { artifact, version }: RequiredArtifact): Promise<Arch[]> {
  const found = await Promise.all(
    ARCHES.map((arch) =>
      artifacts.file(artifact, version, arch).then(
        () => [arch],
        (error: unknown) => {
          if (KubewrightError.is(error) && error.code === 'ARTIFACT_UNKNOWN') return [];
          throw error;
        },
      ),
    ),
  );
  return found.flat();
}

export default defineCheck({
  name: 'architecture-files',
  about: 'system',
  title: 'Files for the architecture',
  inspects:
    'manifest.json of `spec.artifacts.mirror`, for every host: artifacts that its phases install, and on nodes images that the cluster runs, which the mirror has for other machines only.',
  codes: ['ARTIFACT_UNKNOWN'],
  async load({ cluster, host, phases, artifacts }): Promise<Lacking[] | null> {
    if (cluster.spec.artifacts.mirror === undefined) return null;
    try {
      const wanted = requirementsOn(cluster, host, phases.values()).flatMap((each) => each.artifacts ?? []);
      const isNode = host.roles.some((role) => role === 'worker' || role === 'control-plane');
      const images = isNode ? requirementsOfCluster(cluster, phases.values()).flatMap((each) => each.images ?? []) : [];
      const found = await Promise.all([
        ...wanted.map(async (each) =>
          lackingOf(`${each.artifact.name} ${each.version}`, await archesOf(artifacts, each)),
        ),
        ...[...new Set(images)].map(async (image) => {
          const arches = (await imageFiles(artifacts, image)).map(({ arch }) => arch);
          return lackingOf(`image ${image.name} ${image.version}`, arches);
        }),
      ]);
      return found.flat();
    } catch (error) {
      // A mirror that does not answer is reported by the tasks that download from it, and retried there.
      if (KubewrightError.is(error) && error.code === 'MIRROR_UNUSABLE') return null;
      throw error;
    }
  },
  evaluate({ cluster, facts, loaded }) {
    // Any other machine is refused by the check `system`.
    if (!isArch(facts.arch)) return [];
    const names = loaded.filter(({ arch }) => arch === facts.arch).map(({ what }) => what);
    if (names.length === 0) return [];
    const more = names.length > MAX_SHOWN ? ` and ${names.length - MAX_SHOWN} more` : '';
    return [
      {
        code: 'ARTIFACT_UNKNOWN' as const,
        message: `the artifact mirror has no files for ${facts.arch} machines`,
        evidence: `${cluster.spec.artifacts.mirror ?? ''}/manifest.json has these for other machines only, not for ${facts.arch}: ${names.slice(0, MAX_SHOWN).join(', ')}${more}`,
      },
    ];
  },
});
