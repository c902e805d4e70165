import { PROXY_VARIABLES } from '../host/direct.ts';
/** One value, or several lines with the same key (`ExecStartPre`, `Environment`), in order. */
export type UnitValue = string | number | boolean | readonly string[] | undefined;
export type UnitSection = Readonly<Record<string, UnitValue>>;

/** The sections of a systemd unit or drop-in, in the order in which they are written. */
export interface UnitSections {
  readonly Unit?: UnitSection;
  readonly Service?: UnitSection;
  readonly Socket?: UnitSection;
  readonly Timer?: UnitSection;
  /** Of timesyncd.conf, which has the same form. */
  readonly Time?: UnitSection;
  readonly Install?: UnitSection;
}

/** A systemd unit file: sections and keys in the order given, `undefined` left out, booleans as yes and no. */
export function systemdUnit(sections: UnitSections): string {
  return Object.entries(sections as Record<string, UnitSection>)
    .map(([name, section]) => `[${name}]\n${Object.entries(section).flatMap(lines).join('')}`)
    .join('\n');
}

function lines([key, value]: [string, UnitValue]): string[] {
  if (value === undefined) return [];
  if (typeof value === 'object') return value.map((each) => `${key}=${each}\n`);
  return [`${key}=${typeof value === 'boolean' ? (value ? 'yes' : 'no') : value}\n`];
}

/**
 * A command line for ExecStart and its kin: one argument per line, quoted for systemd. Arguments are taken literally:
 * specifiers (%) and variables ($) are escaped.
 */
export function execLine(argv: readonly string[]): string {
  return argv.map(execWord).join(' \\\n  ');
}

function execWord(word: string): string {
  const escaped = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  if (/^[A-Za-z0-9_@%+=:,./$-]+$/.test(escaped)) return escaped;
  if (/[\0\n]/.test(word)) throw new Error(`a unit's argument cannot hold a line break: ${JSON.stringify(word)}`);
  return `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Flags by their names without dashes; `undefined`: not given. */
export type FlagValues = Readonly<Record<string, string | number | boolean | undefined>>;

/** `--key=value` for every entry, in the order given; `undefined` is left out. */
export function flags(values: FlagValues): string[] {
  return Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [`--${key}=${value}`]));
}

/** What differs between our daemons. */
export interface DaemonUnit {
  description: string;
  documentation?: string | undefined;
  /** Words of ExecStart. */
  exec: readonly string[];
  after?: readonly string[] | undefined;
  wants?: readonly string[] | undefined;
  /** Further keys of [Unit], such as ConditionPathExists. */
  unit?: UnitSection | undefined;
  /** Further keys of [Service]; they win over the defaults. */
  service?: UnitSection | undefined;
}

/**
 * The unit of a daemon of ours: restarted for ever. systemd's default start limit (5 in 10 s) leaves a unit failed for
 * good when what it waits for comes a little later.
 */
export function daemonUnit(daemon: DaemonUnit): string {
  const after = ['network-online.target', ...(daemon.after ?? [])];
  const wants = ['network-online.target', ...(daemon.wants ?? [])];
  return systemdUnit({
    Unit: {
      Description: daemon.description,
      Documentation: daemon.documentation,
      After: after.join(' '),
      Wants: wants.join(' '),
      StartLimitIntervalSec: 0,
      ...daemon.unit,
    },
    Service: {
      ExecStart: execLine(daemon.exec),
      Restart: 'always',
      RestartSec: 1,
      // The last word on the environment: against DefaultEnvironment of the manager and drop-ins of others.
      UnsetEnvironment: PROXY_VARIABLES.join(' '),
      ...daemon.service,
    },
    Install: { WantedBy: 'multi-user.target' },
  });
}
