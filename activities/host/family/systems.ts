import type { HostFacts } from '../types.ts';
import { FAMILIES } from './families.ts';
import type { Family } from './family.ts';

/** A distribution and the versions of it that are supported. */
interface System {
  /** ID of /etc/os-release, in lower case. */
  readonly id: string;
  readonly name: string;
  readonly family: Family['name'];
  /** Older ones are refused: their kernel, systemd or packages are too old for the defaults of a cluster. */
  readonly oldest: string;
  /** Versions as they begin: `9` is every 9.x. Others that are not older than `oldest` are untested. */
  readonly tested: readonly string[];
  /** A system without VERSION_ID is newer than all others, such as Debian testing. */
  readonly rolling?: true;
}

/** The systems by ID. */
const SYSTEMS: readonly System[] = [
  { id: 'debian', name: 'Debian', family: 'debian', oldest: '12', tested: ['12', '13'], rolling: true },
  { id: 'ubuntu', name: 'Ubuntu', family: 'debian', oldest: '22.04', tested: ['22.04', '24.04'] },
  { id: 'rhel', name: 'RHEL', family: 'rhel', oldest: '9', tested: ['9', '10'] },
  { id: 'centos', name: 'CentOS Stream', family: 'rhel', oldest: '9', tested: ['9', '10'] },
  { id: 'rocky', name: 'Rocky Linux', family: 'rhel', oldest: '9', tested: ['9', '10'] },
  { id: 'almalinux', name: 'AlmaLinux', family: 'rhel', oldest: '9', tested: ['9', '10'] },
  { id: 'ol', name: 'Oracle Linux', family: 'rhel', oldest: '9', tested: ['9', '10'] },
  { id: 'openeuler', name: 'openEuler', family: 'rhel', oldest: '22.03', tested: ['22.03', '24.03'] },
  // The server: its VERSION_ID is V10 or V11. The desktop of the same ID has apt, and is refused for that.
  { id: 'kylin', name: 'Kylin Linux Advanced Server', family: 'rhel', oldest: '10', tested: ['10', '11'] },
];

/** Words of ID_LIKE that stand for a system of the list; what is like one is untested. */
const LIKE: Readonly<Record<string, string>> = { rhel: 'rhel', openeuler: 'openeuler' };

/** What of a system decides: /etc/os-release, and the package manager that is there. */
type SystemFacts = Pick<HostFacts, 'os' | 'packageManager'>;

/** `untested`: a new host needs a word of the user, one that was built stays. `reason`: what is wrong, after the name of the system. */
export interface Verdict {
  readonly verdict: 'supported' | 'untested' | 'unsupported';
  readonly reason: string;
}

/** The numbers of a version: `V10` and `10.1 (Lance)` are those of 10 and 10.1; none where it has no number. */
const numbersOf = (version: string): number[] =>
  (/\d+(?:\.\d+)*/.exec(version)?.[0] ?? '').split('.').filter(Boolean).map(Number);

/** Is the version older, by the parts that the other one has? */
function isOlder(version: readonly number[], than: readonly number[]): boolean {
  const at = than.findIndex((part, index) => (version[index] ?? 0) !== part);
  return at >= 0 && (version[at] ?? 0) < than[at]!;
}
const beginsWith = (version: readonly number[], begin: readonly number[]): boolean =>
  begin.every((part, index) => version[index] === part);

/** Whether a system is supported, untested or unsupported, by one rule over the list. Pure. */
export function judgeSystem({ os, packageManager }: SystemFacts): Verdict {
  const own = SYSTEMS.find(({ id }) => id === os.id.toLowerCase());
  const like = os.idLike.map((word) => LIKE[word.toLowerCase()]).find((id) => id !== undefined);
  const system = own ?? SYSTEMS.find(({ id }) => id === like);
  if (!system) return { verdict: 'unsupported', reason: 'is not supported' };
  const version = numbersOf(os.versionId);
  const isRolling = os.versionId === '' && system.rolling === true;
  if (version.length === 0 && !isRolling) {
    return { verdict: 'unsupported', reason: `has no version in VERSION_ID; supported: ${versionsOf(system)}` };
  }
  if (!isRolling && isOlder(version, numbersOf(system.oldest))) {
    return { verdict: 'unsupported', reason: `is too old; supported: ${versionsOf(system)}` };
  }
  const tool = FAMILIES.find(({ name }) => name === system.family)?.packageTool.name;
  if (packageManager !== tool) {
    return { verdict: 'unsupported', reason: `has no ${tool}, the package manager of its family` };
  }
  if (!own) return { verdict: 'untested', reason: `is not tested; by ID_LIKE it is treated as ${system.name}` };
  if (!isRolling && system.tested.some((tested) => beginsWith(version, numbersOf(tested)))) {
    return { verdict: 'supported', reason: '' };
  }
  return { verdict: 'untested', reason: `is not tested; tested: ${versionsOf(system)}` };
}

const versionsOf = ({ name, tested }: System): string => `${name} ${tested.join(', ')}`;

/** All supported systems with their versions, for messages and docs. */
export const SUPPORTED_SYSTEMS: readonly string[] = SYSTEMS.map(versionsOf);
