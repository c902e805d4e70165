/** A system that hosts of a lab can have. */
export interface LabSystem {
  /** What `--os` takes. */
  readonly name: string;
  /** Of the RHEL family: what its hosts say that they are. Absent: Debian as it is. */
  readonly rpm?: {
    /** Content of /etc/os-release. */
    readonly osRelease: string;
    /** The package that has it, and its version. */
    readonly release: { readonly name: string; readonly version: string };
  };
}

/** The system of a lab that asks for none. */
export const DEFAULT_SYSTEM = 'debian12';

/** As the distributions write it; what no reader needs is left out. */
const osRelease = (fields: Readonly<Record<string, string>>): string =>
  Object.entries(fields)
    .map(([key, value]) => `${key}="${value}"\n`)
    .join('');

/** All systems. Their files are Debian's: what a lab shows is dnf, rpm, firewalld, and the names of the family. */
export const LAB_SYSTEMS: readonly LabSystem[] = [
  { name: DEFAULT_SYSTEM },
  {
    name: 'rocky9',
    rpm: {
      osRelease: osRelease({
        NAME: 'Rocky Linux',
        VERSION: '9.6 (Blue Onyx)',
        ID: 'rocky',
        ID_LIKE: 'rhel centos fedora',
        VERSION_ID: '9.6',
        PLATFORM_ID: 'platform:el9',
        PRETTY_NAME: 'Rocky Linux 9.6 (Blue Onyx)',
      }),
      release: { name: 'rocky-release', version: '9.6' },
    },
  },
  {
    name: 'openeuler24',
    rpm: {
      osRelease: osRelease({
        NAME: 'openEuler',
        VERSION: '24.03 (LTS)',
        ID: 'openEuler',
        VERSION_ID: '24.03',
        PRETTY_NAME: 'openEuler 24.03 (LTS)',
      }),
      release: { name: 'openEuler-release', version: '24.03' },
    },
  },
];

/** The system of a name. Throws an Error that lists all of them. */
export function labSystem(name: string): LabSystem {
  const found = LAB_SYSTEMS.find((each) => each.name === name);
  if (!found) throw new Error(`no system ${name}: ${LAB_SYSTEMS.map((each) => each.name).join(', ')}`);
  return found;
}
