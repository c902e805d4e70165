import type { ClusterSpec } from '../../contracts/cluster.ts';
import { isWithin, normalPath, systemFolderProblem } from '../../contracts/data-directory.ts';
import type { Host } from '../../contracts/host.ts';
import { type FieldIssue, formatPath } from '../../contracts/issues.ts';
import { absolutePath } from '../../contracts/primitives.ts';
import { KUBEWRIGHT_DIR } from '../kube/paths.ts';
import { STATE_DIR } from '../resources/paths.ts';
import { rawPhaseOptions } from './options.ts';
import type { Phase } from './phase.ts';

/** A folder, or a file, that a phase fills on its hosts. */
export interface PhaseFolder {
  path: string;
  /** The option that says so, from the phase's options down; absent: it is always this one. */
  option?: readonly (string | number)[];
  /** Folders of the same phase that it may lie in. Otherwise it has to be apart from those too. */
  within?: readonly string[];
}

interface Owned extends PhaseFolder {
  phase: string;
}

/** What no phase may touch: our own state, and what says whose host it is. */
const OURS: readonly Owned[] = [STATE_DIR, KUBEWRIGHT_DIR].map((path) => ({ path, phase: 'Kubewright itself' }));

/** Folders that a spec may name on one host. */
const MOST = 200;

/**
 * What is wrong with the folders that a spec names, beyond what each option's own type says: they are the system's, or
 * another phase's, or around or inside one of those. All phases count, wherever they run: roles move. Call it with
 * options that are valid. Pure.
 */
export function folderIssues(cluster: ClusterSpec, phases: readonly Phase[]): FieldIssue[] {
  const issues = issuesOf(foldersOf(cluster, phases), ['spec', 'phases'], cluster.spec.phases);
  cluster.spec.hosts.forEach((host, index) => {
    if (Object.keys(host.phases).length === 0) return;
    issues.push(...issuesOf(foldersOf(cluster, phases, host), ['spec', 'hosts', index, 'phases'], host.phases));
  });
  return issues;
}

function foldersOf(cluster: ClusterSpec, phases: readonly Phase[], host?: Host): Owned[] {
  return phases.flatMap((phase) =>
    (phase.folders?.(phase.options.parse(rawPhaseOptions(cluster, phase.name, host))) ?? []).map((folder) => ({
      ...folder,
      path: normalPath(folder.path),
      phase: phase.name,
    })),
  );
}

/** `given`: the options that this place of the spec sets; the rest are defaults, or are reported at another place. */
function issuesOf(folders: readonly Owned[], place: readonly PropertyKey[], given: Host['phases']): FieldIssue[] {
  if (folders.length > MOST) return [{ path: formatPath(place), message: `names more than ${MOST} folders` }];
  return folders.flatMap((folder) => {
    if (!folder.option || !isSet(given[folder.phase], folder.option)) return [];
    const problem = problemOf(folder, folders);
    return problem === null ? [] : [{ path: formatPath([...place, folder.phase, ...folder.option]), message: problem }];
  });
}

const isSet = (options: unknown, option: readonly (string | number)[]): boolean =>
  option.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], options) !== undefined;

const overlap = (one: Owned, other: Owned): boolean => isWithin(one.path, other.path) || isWithin(other.path, one.path);

function problemOf(folder: Owned, all: readonly Owned[]): string | null {
  const { path, within = [] } = folder;
  const parsed = absolutePath.safeParse(path);
  if (!parsed.success) return parsed.error.issues[0]!.message;
  const clash = [...OURS, ...all].find(
    (other) => other !== folder && overlap(folder, other) && !mayShare(folder, other),
  );
  if (clash) {
    const how = path === clash.path ? 'is' : isWithin(path, clash.path) ? 'is in' : 'holds';
    return `${path} ${how} ${path === clash.path ? 'a folder' : clash.path} of ${clash.phase}; give a folder of its own`;
  }
  if (within.some((own) => isWithin(path, own))) return null;
  const problem = systemFolderProblem(path);
  return problem === null ? null : `${path} ${problem}; give a folder of its own`;
}

/** Two options of one phase are that phase's business; else only inside a folder where it is allowed. */
const mayShare = ({ path, phase, within = [] }: Owned, other: Owned): boolean =>
  (other.phase === phase && other.option !== undefined) || (within.includes(other.path) && isWithin(path, other.path));
