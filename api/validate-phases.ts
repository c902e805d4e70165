import { conflictIssues } from '../activities/operations/plan-phases.ts';
import { choiceIssues } from '../activities/phases/capabilities.ts';
import { builds, isEnabled } from '../activities/phases/desired.ts';
import { folderIssues } from '../activities/phases/folders.ts';
import { rawPhaseOptions } from '../activities/phases/options.ts';
import type { Phase } from '../activities/phases/phase.ts';
import { requirementIssues } from '../activities/phases/requirement-issues.ts';
import { specIssuesOf } from '../activities/phases/spec-issues.ts';
import type { ClusterSpec } from '../contracts/cluster.ts';
import { describeIssues, type FieldIssue, formatPath } from '../contracts/issues.ts';
import { unknownWord } from '../contracts/nearest.ts';
import type { ValidatePhases } from '../contracts/spec-parse.ts';

/** Problems that are looked for: each costs a comparison of words, and a spec of 1,000 hosts can hold 100,000. */
const MOST_ISSUES = 100;

/** Checks the phases of a spec: names, options, and that the chosen phases go together. At most MOST_ISSUES are named. */
export function phaseValidator(phases: readonly Phase[]): ValidatePhases {
  const byName = new Map(phases.map((phase) => [phase.name, phase]));
  const names = [...byName.keys()];

  return (cluster) => {
    const issues: FieldIssue[] = [];
    const unknown = (map: object, path: PropertyKey[]) => {
      for (const name of Object.keys(map)) {
        if (!byName.has(name) && issues.length < MOST_ISSUES)
          issues.push({ path: formatPath(path), message: unknownWord('phase', name, names) });
      }
    };
    /** Options under the name of a phase that takes those of another one. */
    const misplaced = (map: object, path: PropertyKey[]) => {
      for (const { name, sharesOptionsWith } of phases) {
        if (sharesOptionsWith === undefined || !Object.hasOwn(map, name)) continue;
        issues.push({
          path: formatPath([...path, name]),
          message: `has no options of its own: they are those of phase ${sharesOptionsWith}, at ${formatPath([...path, sharesOptionsWith])}`,
        });
      }
    };
    unknown(cluster.spec.phases, ['spec', 'phases']);
    misplaced(cluster.spec.phases, ['spec', 'phases']);
    for (const phase of phases) {
      const raw = rawPhaseOptions(cluster, phase.name);
      issues.push(...optionIssues(phase, raw, ['spec', 'phases', phase.name]));
    }
    if (issues.length > 0) return issues.slice(0, MOST_ISSUES);

    for (const [index, host] of cluster.spec.hosts.entries()) {
      if (issues.length >= MOST_ISSUES) return issues.slice(0, MOST_ISSUES);
      const path = ['spec', 'hosts', index, 'phases'];
      unknown(host.phases, path);
      misplaced(host.phases, path);
      for (const name of Object.keys(host.phases)) {
        const phase = byName.get(name);
        if (phase) issues.push(...optionIssues(phase, rawPhaseOptions(cluster, name, host), [...path, name]));
      }
    }
    if (issues.length === 0)
      issues.push(
        ...folderIssues(cluster, phases),
        ...choiceIssues(cluster, phases),
        ...requirementIssues(cluster, phases),
        ...specIssuesOf(cluster, phases),
      );
    return issues.length > 0 ? issues.slice(0, MOST_ISSUES) : conflictIssues(cluster, phases);
  };
}

/** Roles that make a difference: some phase runs on their hosts, or looks for them. */
function servedRoles(phases: readonly Phase[]): ReadonlySet<string> {
  const kube = ['control-plane', 'worker'];
  return new Set(
    phases.flatMap(({ hosts, allowlistsPeers, dependsOnAddressesOf = [] }) => [
      ...(hosts === 'nodes' ? kube : [hosts === 'one-control-plane' ? 'control-plane' : hosts]),
      ...(allowlistsPeers ? [allowlistsPeers] : []),
      ...dependsOnAddressesOf,
    ]),
  );
}

/** Roles that no phase of this version does anything for: a host would have them in name only. */
function idleRoles(cluster: ClusterSpec, served: ReadonlySet<string>): FieldIssue[] {
  return cluster.spec.hosts.flatMap(({ roles }, host) =>
    roles.flatMap((role, index) =>
      served.has(role)
        ? []
        : [
            {
              path: formatPath(['spec', 'hosts', host, 'roles', index]),
              message: `the role ${role} has no phase in this version and would have no effect; remove it`,
            },
          ],
    ),
  );
}

/**
 * Roles of hosts whose phases are all off in this cluster. A host that had the role in `before` may keep it: balancers are taken
 * away after nodes went over to another endpoint, and their hosts leave afterwards. Call it with options that are valid.
 */
export function rolesOfOffPhases(
  cluster: ClusterSpec,
  before: ClusterSpec | null,
  phases: readonly Phase[],
): FieldIssue[] {
  const had = new Map(before?.spec.hosts.map(({ name, roles }) => [name, roles]));
  return cluster.spec.hosts.flatMap(({ name, roles }, host) =>
    roles.flatMap((role, index) => {
      if (had.get(name)?.includes(role)) return [];
      const own = phases.filter((phase) => phase.hosts === role && builds(phase));
      if (own.length === 0 || own.some((phase) => isEnabled(cluster, phase))) return [];
      const names = own.map(({ name }) => name).join(' and ');
      const chosen = own.flatMap(({ offers = [] }) => offers.flatMap(({ capability }) => capability.chosen ?? []));
      const why = chosen.map(({ field, by }) => `: ${field} is ${by(cluster)}`).join('');
      return [
        {
          path: formatPath(['spec', 'hosts', host, 'roles', index]),
          message: `the role ${role} would have no effect, for the phase ${names} is off${why}; remove the role`,
        },
      ];
    }),
  );
}

/**
 * `phaseValidator` for a spec that a user sends: its roles as well. A cluster of an earlier version may have roles without
 * a phase; its corrections go on.
 */
export function specValidator(phases: readonly Phase[]): ValidatePhases {
  const validate = phaseValidator(phases);
  const served = servedRoles(phases);
  return (cluster) => [...idleRoles(cluster, served), ...validate(cluster)].slice(0, MOST_ISSUES);
}

function optionIssues(phase: Phase, raw: unknown, path: PropertyKey[]): FieldIssue[] {
  const parsed = phase.options.safeParse(raw);
  return parsed.success ? [] : describeIssues(parsed.error, phase.options, raw, path);
}
