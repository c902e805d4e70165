import type { ClusterSpec } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';
import { type FieldIssue, formatPath } from '../../contracts/issues.ts';
import { isTable } from './option-types.ts';
import { rawPhaseOptions } from './options.ts';

/** An option of a phase → places below its options that set the same: flags of `extraArgs`, keys of a configuration file. */
export type SameSettings = Readonly<Record<string, readonly string[]>>;

/** The places of one map, `extraArgs` say, with these keys. */
export const keysOf = (map: string, ...keys: string[]): string[] => keys.map((key) => `${map}.${key}`);

const valueAt = (options: unknown, place: string): unknown =>
  place.split('.').reduce<unknown>((at, key) => (isTable(at) ? at[key] : undefined), options);

/** Each view of a phase's options in a spec: those of the cluster, and of every host that has its own. */
export function optionViews(
  cluster: ClusterSpec,
  phase: string,
): { options: Record<string, unknown>; host: Host | undefined; place: (option: string) => string }[] {
  const own = cluster.spec.hosts.filter((host) => Object.hasOwn(host.phases, phase));
  return [undefined, ...own].map((host) => ({
    options: rawPhaseOptions(cluster, phase, host),
    host,
    place: (option) => {
      const index = cluster.spec.hosts.findIndex(({ name }) => name === host?.name);
      const ofHost = host !== undefined && valueAt(host.phases[phase], option) !== undefined;
      return `${formatPath(ofHost ? ['spec', 'hosts', index, 'phases', phase] : ['spec', 'phases', phase])}.${option}`;
    },
  }));
}

/** Settings that a spec has as an option and as a flag or key as well, each with both places. Pure. */
export function twiceSet(cluster: ClusterSpec, phase: string, same: SameSettings): FieldIssue[] {
  const issues = optionViews(cluster, phase).flatMap(({ options, place }) =>
    Object.entries(same).flatMap(([option, others]) =>
      valueAt(options, option) === undefined
        ? []
        : others
            .filter((other) => valueAt(options, other) !== undefined)
            .map((other) => ({
              path: place(other),
              message: `${place(option)} sets the same: remove one of the two`,
            })),
    ),
  );
  return withoutRepeats(issues);
}

/** Each issue once: what is wrong with the options of the cluster is so on its hosts too. Pure. */
export const withoutRepeats = (issues: readonly FieldIssue[]): FieldIssue[] => [
  ...new Map(issues.map((issue) => [`${issue.path} ${issue.message}`, issue])).values(),
];
