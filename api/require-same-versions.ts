import { versionIssues } from '../activities/operations/versions.ts';
import type { ClusterSpec } from '../contracts/cluster.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { ApiDeps } from './deps.ts';

/**
 * A build changes no version of a cluster that was built; a request changes none of one that is being built either, because
 * it runs behind that build. Until a first build has gone through, `correct` may bring hosts to any version. Throws UPGRADE_NEEDED, and VERSION_REFUSED for
 * a step back and for one that Kubernetes' version skew policy forbids. `base`: the spec that the cluster has; null: none.
 */
export async function requireSameVersions(
  deps: ApiDeps,
  spec: ClusterSpec,
  { base, correct }: { base: ClusterSpec | null; correct: boolean },
): Promise<void> {
  if (!base) return;
  const issues = versionIssues(base, spec, deps.phases);
  if (issues.length === 0) return;
  const cluster = spec.metadata.name;
  const refused = issues.filter(({ way }) => way === 'refused');
  const [code, shown] =
    refused.length > 0 ? (['VERSION_REFUSED', refused] as const) : (['UPGRADE_NEEDED', issues] as const);
  const isBuilding = (await deps.store.projections.cluster(cluster))?.state === 'building';
  if ((correct || !isBuilding) && !(await deps.store.projections.wasBuilt(cluster))) return;
  const [first] = shown;
  throw new KubewrightError(code, `${first!.path} ${first!.message}`, {
    errors: shown.map(({ path, message }) => ({ path, message })),
  });
}
