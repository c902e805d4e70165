import type { HostFacts } from '../types.ts';
import { debian } from './debian.ts';
import type { Family, LackingPackage } from './family.ts';
import { rhel } from './rhel.ts';

/** All families; the first one whose package manager is on a host is its family. */
export const FAMILIES: readonly Family[] = [debian, rhel];

/** The family of a host, by its package manager; that of Debian where there is none of ours. Pure. */
export const familyOf = ({ packageManager }: Pick<HostFacts, 'packageManager'>): Family =>
  FAMILIES.find(({ packageTool }) => packageTool.name === packageManager) ?? debian;

/** The names that a family has for packages, which are given by Debian's names, without those that it lacks. Pure. */
export const packageNames = ({ packages }: Family, names: readonly string[]): string[] => [
  ...new Set(
    names.flatMap((name) => {
      const own = Object.hasOwn(packages, name) ? packages[name] : undefined;
      if (own === undefined) return [name];
      return 'lacks' in own ? (own.elsewhere ?? []) : own;
    }),
  ),
];

/** The systemd unit of a distribution's service, without `.service`, by Debian's name of it. Pure. */
export const unitName = ({ services }: Family, name: string): string =>
  (Object.hasOwn(services, name) ? services[name] : undefined) ?? name;

/** Why a family does not have a package, given by Debian's name, and where else it may be; null where it has it. Pure. */
export function lackingPackage({ packages }: Family, name: string): LackingPackage | null {
  const own = Object.hasOwn(packages, name) ? packages[name] : undefined;
  return own !== undefined && 'lacks' in own ? own : null;
}
