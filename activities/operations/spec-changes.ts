import { KubewrightError } from '../../contracts/errors.ts';
import type { GuardWorld, SpecChange } from './operation-kind.ts';
import { refusedRemovals } from './removals.ts';
import { refusedSwitches } from './switches.ts';
import { versionIssues } from './versions.ts';

/**
 * What no operation changes of a cluster unless its kind says so: versions, what running pods depend on, and which hosts
 * belong to it. Throws UPGRADE_NEEDED, VERSION_REFUSED, SWITCH_REFUSED, REMOVAL_REFUSED.
 */
export async function keepRunningCluster(change: SpecChange, world: GuardWorld): Promise<void> {
  await keepVersions(change, world);
  await keepPods(change, world);
  await keepHosts(change, world);
}

/**
 * No version of a cluster that was built changes; a request changes none of one that is being built either, because it runs
 * behind that build. Until a first build has gone through, a correction may bring hosts to any version. Throws UPGRADE_NEEDED,
 * and VERSION_REFUSED for a step back and for one that Kubernetes' version skew policy forbids.
 */
async function keepVersions({ before, after, isCorrection }: SpecChange, world: GuardWorld): Promise<void> {
  const issues = versionIssues(before, after, world.phases);
  if (issues.length === 0) return;
  const refused = issues.filter(({ way }) => way === 'refused');
  const [code, shown] =
    refused.length > 0 ? (['VERSION_REFUSED', refused] as const) : (['UPGRADE_NEEDED', issues] as const);
  const isBuilding = (await world.state()) === 'building';
  if ((isCorrection || !isBuilding) && !(await world.wasBuilt())) return;
  const [first] = shown;
  throw new KubewrightError(code, `${first!.path} ${first!.message}`, {
    errors: shown.map(({ path, message }) => ({ path, message })),
  });
}

/** No change that cuts off running pods. A cluster of which no build has succeeded yet may change. Throws SWITCH_REFUSED. */
async function keepPods({ before, after }: SpecChange, world: GuardWorld): Promise<void> {
  const errors = refusedSwitches(before, after, world.phases);
  const [first] = errors;
  if (!first || !(await world.wasBuilt())) return;
  throw new KubewrightError('SWITCH_REFUSED', `${first.path} ${first.message}`, { errors });
}

/** No host, and no role of a host, that the cluster has leaves. Throws REMOVAL_REFUSED. */
async function keepHosts({ before, after }: SpecChange, world: GuardWorld): Promise<void> {
  const errors = refusedRemovals(before, after, { phases: world.phases, served: await world.served() });
  const [first] = errors;
  if (first) throw new KubewrightError('REMOVAL_REFUSED', `${first.path} ${first.message}`, { errors });
}
