import { KubewrightError } from '../../contracts/errors.ts';
import { isArch, type RequiredArtifact } from '../artifacts/artifact.ts';
import type { ArtifactSource } from '../artifacts/source.ts';
import { archive } from '../resources/archive.ts';
import { artifact as binary } from '../resources/artifact.ts';
import type { Resource } from '../resources/resource.ts';
import { BIN_DIR } from './paths.ts';

/** Where files come from, and the host that they are for. */
export interface InstallContext {
  readonly artifacts: ArtifactSource;
  readonly facts: { readonly arch: string };
  readonly host: { readonly name: string };
}

/**
 * An artifact on a host, from the cluster's source, whatever its format: its files land in its folder under their catalogue
 * names. Restart what uses one by its path, e.g. `/usr/local/bin/etcd`.
 * Throws ARTIFACT_UNKNOWN or MIRROR_UNUSABLE.
 */
export async function install(
  { artifacts, facts, host }: InstallContext,
  { artifact, version, into = BIN_DIR }: RequiredArtifact,
): Promise<Resource> {
  if (!isArch(facts.arch)) {
    throw new KubewrightError('OS_UNSUPPORTED', `host ${host.name} is a ${facts.arch} machine`, { host: host.name });
  }
  const resolved = await artifacts.file(artifact, version, facts.arch);
  const { format, members } = artifact.file(version, facts.arch);
  if (format === 'binary') return binary(resolved, { path: `${into}/${members[0]!.name}` });
  return archive(resolved, { into, members: Object.fromEntries(members.map((each) => [each.path, each.name])) });
}

/** Several of them, in their order. Neighbours are downloaded side by side. */
export const installAll = (context: InstallContext, artifacts: readonly RequiredArtifact[]): Promise<Resource[]> =>
  Promise.all(artifacts.map((each) => install(context, each)));
