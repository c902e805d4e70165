import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { FieldIssue } from '../../contracts/issues.ts';
import { enabledProvidersOf } from './capabilities.ts';
import type { Capability } from './capability.ts';
import { builds, isEnabled } from './desired.ts';
import { offerOf } from './offers.ts';
import { phaseOptions } from './options.ts';
import type { Phase } from './phase.ts';

const offeredIn =
  (cluster: ClusterSpec, phases: readonly Phase[]) =>
  <Data>(capability: Capability<Data>): Data | null =>
    enabledProvidersOf(cluster, capability.name, phases).length === 1 ? offerOf({ cluster, phases }, capability) : null;

/** What the phases that are on find wrong with a spec as a whole. Call it with options that are valid. Pure. */
export const specIssuesOf = (cluster: ClusterSpec, phases: readonly Phase[]): FieldIssue[] =>
  phases.flatMap((phase) =>
    phase.specIssues && builds(phase) && isEnabled(cluster, phase)
      ? [...phase.specIssues({ cluster, options: phaseOptions(cluster, phase), offered: offeredIn(cluster, phases) })]
      : [],
  );
