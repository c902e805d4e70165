import { chmod, chown, copyFile, cp, link, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Arch } from '../../../activities/artifacts/artifact.ts';
import type { GoRecipe, MirrorRecipe, SetImage } from '../../../activities/artifacts/mirror-recipe.ts';
import { SUITE } from '../../base-recipe.ts';
import { ensureDebianPackages } from '../../debian.ts';
import { run } from '../../run.ts';
import type { GoBuilt, GoWorkshop } from '../go/workshop.ts';
import { writeOciTar } from '../oci.ts';
import { addRootBasics } from '../rootfs.ts';
import { packTarGz } from '../tar.ts';
import type { Source, SourceContext, SuppliedFile } from '../types.ts';

type GoSet = Extract<MirrorRecipe, { kind: 'go-set' }>;

/** What no program of an image reads. */
const LEFT_OUT = [
  ...['doc', 'man', 'locale', 'info', 'lintian', 'bug'].map((name) => `usr/share/${name}`),
  ...['var/cache', 'var/lib/apt', 'var/log', 'etc/resolv.conf', 'etc/hostname', 'etc/machine-id'],
];

/** The mirror paths of a set's files, in the order of its artifacts and images. */
export const setFiles = ({ artifacts, images }: GoSet, arch: Arch) => [
  ...artifacts.map(({ artifact }) => artifact.file(artifact.version, arch)),
  ...images.map(({ image }) => image.file(arch)),
];

/** Artifacts and images of one project: one build, then each file of its outputs and of the project's source. */
export function goSetSource(set: GoSet, recipe: GoRecipe, workshop: GoWorkshop): Source {
  return {
    name: 'go-set',
    async supply(context) {
      const { workDir, report, arch } = context;
      const name = `${recipe.module}@${recipe.version}`;
      const folderOf = ({ image }: SetImage) => join(workDir, image.name);
      const [built] = await Promise.all([
        workshop.build(recipe, (message) => report('build', { source: name, message })),
        // Packages come from the network, while the compiler has the processors.
        ...set.images.map((each) => makeRoot(each, join(folderOf(each), 'rootfs'), context)),
      ]);
      const supplied: SuppliedFile[] = [];
      for (const each of set.images) {
        report('build', { source: name, message: `packing the image ${each.image.name}` });
        const { mirrorPath } = each.image.file(arch);
        const path = await packImage(each, { built, folder: folderOf(each), context });
        supplied.push({ mirrorPath, path, origin: 'go-build', source: built.source });
      }
      for (const { artifact, from } of set.artifacts) {
        const { mirrorPath, format, members } = artifact.file(artifact.version, arch);
        const folder = join(workDir, artifact.name);
        await mkdir(folder);
        for (const member of members) {
          const target = join(folder, member.path || member.name);
          await mkdir(dirname(target), { recursive: true });
          await copyFile(from === undefined ? outputOf(built, member.name) : join(built.moduleFolder, from), target);
        }
        const path = format === 'binary' ? join(folder, members[0]!.name) : `${folder}.tar.gz`;
        if (format !== 'binary') {
          await packTarGz(
            folder,
            members.map((member) => member.path),
            path,
          );
        }
        supplied.push({ mirrorPath, path, origin: 'go-build', source: built.source });
      }
      return supplied;
    },
  };
}

interface Packing {
  built: GoBuilt;
  /** With the root of the image; for its parts. */
  folder: string;
  context: SourceContext;
}

async function packImage(image: SetImage, { built, folder, context }: Packing): Promise<string> {
  const rootfs = join(folder, 'rootfs');
  const stage = join(folder, 'stage');
  await mkdir(stage, { recursive: true });
  for (const { from, to, executable } of image.files ?? []) {
    await copyTree(join(built.moduleFolder, from), join(rootfs, to), executable);
  }
  const placed = new Map<string, string>();
  for (const [place, output] of Object.entries(image.programs)) {
    const target = join(rootfs, place);
    await mkdir(dirname(target), { recursive: true });
    const first = placed.get(output);
    // The same program at two places is in the layer once.
    if (first !== undefined) await link(first, target);
    else {
      await copyFile(outputOf(built, output), target);
      await chmod(target, 0o755);
      placed.set(output, target);
    }
  }
  const [user = 0, group = user] = (image.user ?? '0').split(':').map(Number);
  for (const place of image.writable ?? []) {
    await mkdir(join(rootfs, place), { recursive: true });
    await chown(join(rootfs, place), user, group);
  }
  const path = `${folder}.tar`;
  const { entrypoint, cmd, user: as, env, workingDir } = image;
  const config = {
    entrypoint,
    ...(cmd ? { cmd } : {}),
    ...(as === undefined ? {} : { user: as }),
    ...(env ? { env } : {}),
    ...(workingDir === undefined ? {} : { workingDir }),
  };
  await writeOciTar({ rootfs, config, arch: context.arch, tag: image.image.version, stage, target: path });
  await rm(folder, { recursive: true });
  return path;
}

async function makeRoot(
  { packages, without = [] }: SetImage,
  rootfs: string,
  { report, arch }: SourceContext,
): Promise<void> {
  if (!packages) {
    await mkdir(rootfs, { recursive: true });
    return addRootBasics(rootfs, { certificates: true });
  }
  await ensureDebianPackages(['mmdebstrap']);
  report('download', { source: `Debian ${SUITE}: ${packages.join(', ')}`, message: 'unpacking a root' });
  const what = [`--architectures=${arch}`, `--include=${packages.join(',')}`];
  await mkdir(dirname(rootfs), { recursive: true });
  await run(['mmdebstrap', '--variant=essential', ...what, '--quiet', SUITE, rootfs], { timeoutMs: 900_000 });
  for (const path of [...LEFT_OUT, ...without]) await rm(join(rootfs, path), { recursive: true, force: true });
  // Programs write logs and locks there.
  for (const path of ['var/cache', 'var/log']) await mkdir(join(rootfs, path));
}

/** A folder or a file of the module cache, where everything is read-only, with the modes that an image has. */
async function copyTree(from: string, to: string, executable?: RegExp): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await cp(from, to, { recursive: true });
  for (const entry of await readdir(to, { recursive: true, withFileTypes: true }).catch(() => [])) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(path, 0o755);
    else if (entry.isFile() && executable?.test(entry.name)) await chmod(path, 0o755);
  }
}

function outputOf({ outputs }: GoBuilt, name: string): string {
  const path = outputs.get(name);
  if (path === undefined) throw new Error(`the build recipe gives no ${name}`);
  return path;
}
