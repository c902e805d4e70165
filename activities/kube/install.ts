import { KubewrightError } from '../../contracts/errors.ts';
import { type Arch, type ArtifactName, artifact as catalogued } from '../artifacts/catalogue.ts';
import type { PhaseContext } from '../phases/phase.ts';
import { archive } from '../resources/archive.ts';
import { artifact } from '../resources/artifact.ts';
import type { Resource } from '../resources/resource.ts';
import { BIN_DIR } from './paths.ts';

/** The catalogue's default version of an artifact. */
export const defaultVersion = (name: ArtifactName): string => catalogued(name).version;

/**
 * An artifact of the catalogue on a host, from the cluster's source, whatever its format: its files land in `into` under
 * their catalogue names. Restart what uses one by its path, e.g. `/usr/local/bin/etcd`.
 * Throws ARTIFACT_UNKNOWN or MIRROR_UNUSABLE.
 */
export async function install(
  { artifacts, facts, host }: Pick<PhaseContext<unknown>, 'artifacts' | 'facts' | 'host'>,
  name: ArtifactName,
  options: { version?: string | undefined; into?: string } = {},
): Promise<Resource> {
  const { version = defaultVersion(name), into = BIN_DIR } = options;
  if (!isArch(facts.arch)) {
    throw new KubewrightError('OS_UNSUPPORTED', `host ${host.name} is a ${facts.arch} machine`, { host: host.name });
  }
  const resolved = await artifacts.file(name, version, facts.arch);
  const { format, members } = catalogued(name, version).file(facts.arch);
  if (format === 'binary') return artifact(resolved, { path: `${into}/${members[0]!.name}` });
  return archive(resolved, { into, members: Object.fromEntries(members.map((each) => [each.path, each.name])) });
}

const isArch = (text: string): text is Arch => text === 'amd64' || text === 'arm64';
