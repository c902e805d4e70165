import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { FieldIssue } from '../../contracts/issues.ts';
import { isEnabled } from '../phases/desired.ts';
import { rawPhaseOptions } from '../phases/options.ts';
import type { Phase } from '../phases/phase.ts';
import { placementOf } from '../phases/placement.ts';
import { compareVersions, minorSteps, skewProblem } from './skew.ts';

/** A change of version that a build does not make. */
export interface VersionIssue extends FieldIssue {
  /** `upgrade`: the upgrade operation would make it. `refused`: nothing makes it. */
  way: 'upgrade' | 'refused';
}

/** A version that hosts run, and where the spec says so. */
interface Running {
  component: string;
  version: string;
  path: string;
}

/**
 * Changes of version between the spec that a cluster was built by and another one for it: of Kubernetes, and of what
 * phases name in `upgrades`, on every host. A host that is new is compared with what the cluster runs. Pure.
 */
export function versionIssues(before: ClusterSpec, after: ClusterSpec, phases: readonly Phase[]): VersionIssue[] {
  const issues = new Map<string, VersionIssue>();
  const compare = (was: Running | null, is: Running | null) => {
    if (!was || !is) return;
    const problem = changeOf(is.component, was.version, is.version);
    if (problem && !issues.has(is.path)) issues.set(is.path, { path: is.path, ...problem });
  };
  compare(kubernetesOf(before), kubernetesOf(after));
  for (const phase of phases.filter((each) => isEnabled(before, each) && isEnabled(after, each))) {
    for (const upgrade of phase.upgrades ?? []) {
      compare(runningOf(before, phase, upgrade, null), runningOf(after, phase, upgrade, null));
      for (const host of placementOf(after, phase.hosts)) {
        const known = before.spec.hosts.some(({ name }) => name === host.name);
        compare(
          runningOf(before, phase, upgrade, known ? host.name : null),
          runningOf(after, phase, upgrade, host.name),
        );
      }
    }
  }
  return [...issues.values()];
}

/**
 * The spec with every version written out that it leaves open, as `before` has it: a default that moves with a release of
 * Kubewright upgrades no cluster. `given`: the document of the user, which says whether Kubernetes' version is left open. Pure.
 */
export function withPinnedVersions(
  after: ClusterSpec,
  phases: readonly Phase[],
  { before, given }: { before: ClusterSpec | null; given: unknown },
): ClusterSpec {
  const { kubernetes } = after.spec;
  const version = before && !namesKubernetes(given) ? before.spec.kubernetes.version : kubernetes.version;
  const options = { ...after.spec.phases };
  for (const phase of phases) {
    // Naming a phase can switch it on, or keep a default provider from yielding: one that is off and not named stays so.
    if (!Object.hasOwn(options, phase.name) && !isEnabled(after, phase)) continue;
    for (const { component, option } of phase.upgrades ?? []) {
      if (options[phase.name]?.[option] !== undefined) continue;
      // Naming a phase that is off would choose it.
      if (!isEnabled(after, phase) && options[phase.name] === undefined) continue;
      const pinned = runningOf(before ?? after, phase, { component, option }, null);
      if (pinned) options[phase.name] = { ...options[phase.name], [option]: pinned.version };
    }
  }
  return { ...after, spec: { ...after.spec, kubernetes: { ...kubernetes, version }, phases: options } };
}

function namesKubernetes(given: unknown): boolean {
  const at = (value: unknown, key: string) =>
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return at(at(at(given, 'spec'), 'kubernetes'), 'version') !== undefined;
}

const kubernetesOf = ({ spec }: ClusterSpec): Running => ({
  component: 'Kubernetes',
  version: spec.kubernetes.version,
  path: 'spec.kubernetes.version',
});

/** What one host runs of a phase; `host` null: what its options say for the whole cluster. Null: its options name no version. */
function runningOf(
  cluster: ClusterSpec,
  phase: Phase,
  { component, option }: { component: string; option: string },
  host: string | null,
): Running | null {
  const index = cluster.spec.hosts.findIndex(({ name }) => name === host);
  const own = cluster.spec.hosts[index];
  const options = phase.options.parse(rawPhaseOptions(cluster, phase.name, own)) as Record<string, string | undefined>;
  const version = options[option];
  if (version === undefined) return null;
  const ofHost = own !== undefined && own.phases[phase.name]?.[option] !== undefined;
  const place = ofHost ? `spec.hosts[${index}].phases` : 'spec.phases';
  return { component, version, path: `${place}.${phase.name}.${option}` };
}

/** Components whose minor versions are upgraded one after the other. */
const ONE_MINOR_AT_A_TIME = ['Kubernetes', 'etcd'];

function changeOf(component: string, was: string, is: string): Pick<VersionIssue, 'way' | 'message'> | null {
  const order = compareVersions(is, was);
  if (order === 0) return null;
  if (order < 0)
    return { way: 'refused', message: `must not go back: the cluster runs ${component} ${was}, wanted is ${is}` };
  // Both run beside each other while hosts are upgraded one by one; the kubelets follow the last of them.
  const skew =
    component === 'Kubernetes'
      ? (skewProblem('kube-apiserver', is, [was]) ?? skewProblem('kubelet', was, [was, is]))
      : null;
  if (skew !== null || (ONE_MINOR_AT_A_TIME.includes(component) && minorSteps(was, is) > 1)) {
    const why = skew === null ? `${component} is upgraded one minor version at a time` : skew;
    return {
      way: 'refused',
      message: `skips a version: the cluster runs ${component} ${was}, wanted is ${is}; ${why}`,
    };
  }
  return { way: 'upgrade', message: `is an upgrade: the cluster runs ${component} ${was}, wanted is ${is}` };
}
