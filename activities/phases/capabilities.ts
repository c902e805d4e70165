import type { ClusterSpec } from '../../contracts/cluster.ts';
import { type FieldIssue, formatPath } from '../../contracts/issues.ts';
import { builds, isEnabled } from './desired.ts';
import { isOfChoice, type Phase } from './phase.ts';
import { choicesOf, offeredCapabilities, providesOf } from './provides.ts';

/** The phases among these that provide something and that the cluster's spec leaves switched on. Throws SPEC_INVALID on wrong options. */
export const enabledProviders = (cluster: ClusterSpec, phases: readonly Phase[]): Phase[] =>
  phases.filter((phase) => phase.provides !== undefined && builds(phase) && isEnabled(cluster, phase));

/** Those of them that provide this capability. Throws SPEC_INVALID on wrong options. */
export const enabledProvidersOf = (cluster: ClusterSpec, capability: string, phases: readonly Phase[]): Phase[] =>
  enabledProviders(cluster, phases).filter((phase) => providesOf(phase).includes(capability));

/**
 * Where the spec chooses not exactly one provider of a choice (two of one that may be left out), or chooses one on a single host. The providers of a
 * capability are all phases that declare it. Empty: every choice is made. Pure.
 */
export function choiceIssues(cluster: ClusterSpec, phases: readonly Phase[]): FieldIssue[] {
  const offered = offeredCapabilities(phases);
  const choices = choicesOf(phases).flatMap((capability) => {
    const providers = enabledProvidersOf(cluster, capability, phases).map(({ name }) => name);
    if (providers.length === 1) return [];
    if (providers.length === 0 && offered.get(capability)?.choice === 'at-most-one') return [];
    const all = phases.filter((phase) => providesOf(phase).includes(capability));
    const known = all.map(({ name }) => name);
    // The default one, unless another is named and off.
    const named = known.find((name) => Object.hasOwn(cluster.spec.phases, name));
    const place = named ?? all.find(({ optional }) => optional !== 'when-named')?.name ?? known[0]!;
    const chosen = offered.get(capability)?.chosen;
    if (chosen) {
      const message = `${chosen.by(cluster)} does not provide ${capability}: choose one of ${known.toSorted().join(', ')}`;
      return [{ path: chosen.field, message }];
    }
    if (providers.length === 0) {
      return [
        {
          path: formatPath(['spec', 'phases', place]),
          message: `no phase provides ${capability}: switch exactly one of them on: ${known.join(', ')}`,
        },
      ];
    }
    return [
      {
        path: formatPath(['spec', 'phases', providers.at(-1)!]),
        message: `${providers.join(' and ')} each provide ${capability}: leave one on, and set \`enabled: false\` for the others`,
      },
    ];
  });
  const optional = phases.filter((phase) => isOfChoice(phase) && phase.optional).map(({ name }) => name);
  const perHost = cluster.spec.hosts.flatMap((host, index) =>
    optional
      .filter((name) => Object.hasOwn(host.phases, name) && Object.hasOwn(host.phases[name]!, 'enabled'))
      .map((name) => ({
        path: formatPath(['spec', 'hosts', index, 'phases', name, 'enabled']),
        message: `is chosen for the whole cluster: set spec.phases.${name}.enabled`,
      })),
  );
  return [...choices, ...perHost];
}

/** What the phases that are on do not accept in a new or changed spec. `before`: the spec that the cluster has. Pure. */
export const newSpecIssuesOf = (
  cluster: ClusterSpec,
  before: ClusterSpec | null,
  phases: readonly Phase[],
): FieldIssue[] =>
  phases.flatMap((phase) =>
    phase.newSpecIssues && builds(phase) && isEnabled(cluster, phase)
      ? [...phase.newSpecIssues({ cluster, before })]
      : [],
  );
