import type { HostFacts } from '../types.ts';

/** A package that a family does not have in its own repositories. */
export interface LackingPackage {
  /** Why, and what to do instead: the end of a sentence. */
  readonly lacks: string;
  /** Its name in repositories beside the distribution, from which it is installed where a host has one of them. Absent: none is known. */
  readonly elsewhere?: string;
}

/** How the distributions of a family install packages. The texts are POSIX sh and read-only. */
export interface PackageTool {
  readonly name: Exclude<HostFacts['packageManager'], 'none'>;
  /** The program by which a host of the family is recognised. */
  readonly program: string;
  /** The program that reads the database of installed packages. */
  readonly database: string;
  /** A command that succeeds when the package `$1` is installed. */
  readonly isInstalled: string;
  /** A command that succeeds when a repository of the host has the package `$1`. It may ask the network. */
  readonly isOffered: string;
  /** With a package goes what its daemons wrote. */
  readonly purges: boolean;
  /** Commands that print the settings of a proxy as `FILE:LINE:TEXT`, as grep -Hn does. */
  readonly proxySettings: string;
  /** How the paths of its settings begin. */
  readonly settings: readonly string[];
}

/** How the unit of a distribution takes options: a variable of its environment file, and what it holds by default. */
export interface UnitOptions {
  readonly variable: string;
  readonly defaults: readonly string[];
}

/**
 * What differs between families of distributions. Phases name packages and units as Debian does; each family has its own names
 * for them, and everything else that depends on the distribution. Nothing outside this folder branches on a family.
 */
export interface Family {
  readonly name: 'debian' | 'rhel';
  readonly packageTool: PackageTool;
  /**
   * Packages by Debian's name. Absent: the same name. An empty list: every system of the family has it from the start, or
   * needs nothing in its place.
   */
  readonly packages: Readonly<Record<string, readonly string[] | LackingPackage>>;
  /** systemd units of the distribution by Debian's name, without `.service`. Absent: the same name. */
  readonly services: Readonly<Record<string, string>>;
  /** By Debian's name of the unit. */
  readonly unitOptions: Readonly<Record<'chrony', UnitOptions>>;
  /** Accounts under which daemons of the distribution run. */
  readonly accounts: Readonly<Record<'nginx', string>>;
  /** Folders of the distribution. */
  readonly paths: Readonly<Record<'nginxModules', string>>;
  /** The firewall that its documentation describes; the other one may be installed as well. */
  readonly firewall: 'ufw' | 'firewalld';
  /** It has policies of SELinux for containers, `container-selinux`. */
  readonly hasContainerPolicies: boolean;
  /** Its packages enable and start their units as soon as they are installed. */
  readonly startsUnits: boolean;
}
