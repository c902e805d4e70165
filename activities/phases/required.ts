import { KubewrightError } from '../../contracts/errors.ts';
import type { PhaseRequirements, RequiredFeature, RequiredPort, RequiredSelinux, RequiredSysctl } from './requires.ts';

/** What the phases of one host require together, for those who see to it. All of it is the same in whatever order phases come. */

const unique = (names: readonly string[]): string[] => [...new Set(names)].sort();

/** Debian's names of the packages that `prepare` installs, each once. Pure. */
export const requiredPackages = (requirements: readonly PhaseRequirements[]): string[] =>
  unique(requirements.flatMap(({ packages = [] }) => packages));

/** Debian's names of all packages, those that phases install themselves included, each once. Pure. */
export const allPackages = (requirements: readonly PhaseRequirements[]): string[] =>
  unique(requirements.flatMap(({ packages = [], deferredPackages = [] }) => [...packages, ...deferredPackages]));

/** What the phases require of SELinux, each once. Pure. */
export function requiredSelinux(requirements: readonly PhaseRequirements[]): Required<RequiredSelinux> {
  const all = requirements.flatMap(({ selinux }) => (selinux ? [selinux] : []));
  const folders = new Map(all.flatMap((each) => (each.folders ?? []).map((folder) => [folder.path, folder])));
  return {
    policies: unique(all.flatMap(({ policies = [] }) => policies)),
    booleans: unique(all.flatMap(({ booleans = [] }) => booleans)),
    folders: [...folders.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

/** Names of the modules that are loaded now and at each boot. Pure. */
export const modulesToLoad = (requirements: readonly PhaseRequirements[]): string[] =>
  unique(
    requirements.flatMap(({ modules = [], features = [] }) =>
      [...modules, ...features].filter(({ load }) => load).map(({ name }) => name),
    ),
  );

/** Names of all modules that must not be kept from loading. Pure. */
export const requiredModules = (requirements: readonly PhaseRequirements[]): string[] =>
  unique(requirements.flatMap(({ modules = [], features = [] }) => [...modules, ...features].map(({ name }) => name)));

/**
 * What the kernel must have: features, and modules that are to be loaded, each once with the reasons of all that require it.
 * Pure.
 */
export function requiredFeatures(requirements: readonly PhaseRequirements[]): RequiredFeature[] {
  const found = new Map<string, RequiredFeature>();
  for (const feature of requirements.flatMap(({ features = [] }) => features)) {
    const earlier = found.get(feature.name);
    const reasons = new Set([...(earlier ? [earlier.reason] : []), feature.reason]);
    found.set(feature.name, { ...feature, ...earlier, reason: [...reasons].join(', ') });
  }
  for (const { phase, modules = [] } of requirements) {
    for (const { name, load } of modules) {
      if (load && !found.has(name)) found.set(name, { name, load, reason: `the phase ${phase}` });
    }
  }
  return [...found.values()];
}

/** Does the value do as well as the one that is required? Pure. */
export function isGoodValue({ value: wanted, atLeast, alsoGood = [] }: RequiredSysctl, value: string): boolean {
  return value === wanted || alsoGood.includes(value) || (atLeast === true && Number(value) >= Number(wanted));
}

/** Kernel settings by name: of two phases' values the one that does for both. Throws SPEC_INVALID where none does. Pure. */
export function requiredSysctls(
  requirements: readonly PhaseRequirements[],
  host: { container: boolean },
): Map<string, RequiredSysctl> {
  const found = new Map<string, RequiredSysctl>();
  for (const [key, wanted] of sysctlsByKey(requirements)) {
    const applicable = wanted.filter(({ kernelWide }) => !(kernelWide && host.container));
    if (applicable.length === 0) continue;
    const chosen = valueForAll(applicable);
    if (!chosen) throw new KubewrightError('SPEC_INVALID', sysctlConflict(key, wanted));
    found.set(key, chosen);
  }
  return found;
}

/** The ports that something listens on, each once, ascending. Throws SPEC_INVALID when two programs need the same one. Pure. */
export function requiredPorts(requirements: readonly PhaseRequirements[]): RequiredPort[] {
  const [conflict] = portConflicts(requirements);
  if (conflict !== undefined) throw new KubewrightError('SPEC_INVALID', conflict);
  return [...portsByNumber(requirements).values()].map(([first]) => first!).sort((a, b) => a.port - b.port);
}

/** What two phases of one host cannot both have, in sentences that name them: ports and kernel settings. Pure. */
export function conflictsIn(requirements: readonly PhaseRequirements[]): string[] {
  const sysctls = [...sysctlsByKey(requirements)].flatMap(([key, wanted]) =>
    valueForAll(wanted) ? [] : [sysctlConflict(key, wanted)],
  );
  return [...portConflicts(requirements), ...rangeConflicts(requirements), ...sysctls];
}

type Wanted = RequiredSysctl & { phase: string };

function sysctlsByKey(requirements: readonly PhaseRequirements[]): Map<string, Wanted[]> {
  const found = new Map<string, Wanted[]>();
  for (const { phase, sysctls = {} } of requirements) {
    for (const [name, wanted] of Object.entries(sysctls)) {
      found.set(name, [...(found.get(name) ?? []), { ...wanted, phase }]);
    }
  }
  return found;
}

/** A value that fits all requirements of it; more is good only when it is for all of them. */
function valueForAll(applicable: readonly Wanted[]): RequiredSysctl | null {
  const chosen = applicable.find(({ value }) => applicable.every((each) => isGoodValue(each, value)));
  if (!chosen) return null;
  const { value } = chosen;
  const alsoGood = (chosen.alsoGood ?? []).filter((other) => applicable.every((each) => isGoodValue(each, other)));
  return {
    value,
    ...(applicable.every(({ atLeast }) => atLeast) ? { atLeast: true } : {}),
    ...(alsoGood.length > 0 ? { alsoGood } : {}),
  };
}

const sysctlConflict = (key: string, wanted: readonly Wanted[]): string =>
  `the kernel setting ${key} cannot be right for all phases: ${wanted.map(({ phase, value }) => `${phase} requires ${value}`).join(', ')}`;

type Listener = RequiredPort & { phase: string };

function portsByNumber(requirements: readonly PhaseRequirements[]): Map<string, Listener[]> {
  const found = new Map<string, Listener[]>();
  for (const { phase, ports = [] } of requirements) {
    for (const each of ports) {
      const key = `${each.port}/${each.protocol}`;
      found.set(key, [...(found.get(key) ?? []), { ...each, phase }]);
    }
  }
  return found;
}

/** Ports of programs among those that another phase gives out. */
function rangeConflicts(requirements: readonly PhaseRequirements[]): string[] {
  const ranges = requirements.flatMap(({ portRanges = [] }) => portRanges);
  return ranges.flatMap(({ from, to, what, setting }) =>
    [...portsByNumber(requirements).values()].flatMap(([first]) =>
      first!.port >= from && first!.port <= to
        ? [
            `the port ${first!.port} of ${first!.what} (phase ${first!.phase}) is one of the ${what}, ${from}-${to}: change ${setting}`,
          ]
        : [],
    ),
  );
}

const portConflicts = (requirements: readonly PhaseRequirements[]): string[] =>
  [...portsByNumber(requirements)].flatMap(([port, [first, ...others]]) => {
    const other = others.find(({ what, holder }) => what !== first!.what || holder !== first!.holder);
    if (!other) return [];
    const words = [first!, other].map(({ phase, what }) => `${what} of the phase ${phase}`);
    const setting = first!.setting ?? other.setting;
    const hint = setting === undefined ? '' : `; set ${setting} to another port`;
    return [`the port ${port} cannot be that of two programs: ${words.join(' and ')}${hint}`];
  });
