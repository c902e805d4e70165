/** One RPM, made of files in a folder. */
export interface RpmPackage {
  readonly name: string;
  readonly version: string;
  readonly summary: string;
  readonly arch: 'noarch' | 'native';
  /** Capabilities as RPM has them, such as `/bin/sh` or `system-release = 9.6`. */
  readonly provides?: readonly string[];
  readonly requires?: readonly string[];
  /** sh that runs before and after it is installed, before it is removed for good, and after that. */
  readonly scripts?: {
    readonly pre?: string;
    readonly post?: string;
    readonly preun?: string;
    readonly postun?: string;
  };
}

/** What a package has, by absolute path, as its `%files` lists it. */
export interface RpmFiles {
  readonly files: readonly string[];
  /** Files in /etc: an edited one is kept, as `.rpmsave`, when the package goes. */
  readonly config: readonly string[];
  /** Folders that are there only with the package. */
  readonly folders: readonly string[];
  /** Accounts that own folders, by path; the others are root's. */
  readonly owners?: Readonly<Record<string, string>>;
}

/** Names of files are quoted in %files, where a quote would end them. */
const quoted = (path: string): string => {
  if (/["\n\\]/.test(path)) throw new Error(`a path that no spec file takes: ${JSON.stringify(path)}`);
  return `"${path}"`;
};

/**
 * A spec file that packs the files as they are, with nothing compiled, stripped or found out: the macros would run the tools of
 * RHEL's own builds, which are not there. Pure.
 */
export function rpmSpec(rpm: RpmPackage, { files, config, folders, owners = {} }: RpmFiles): string {
  const { pre, post, preun, postun } = rpm.scripts ?? {};
  const script = (name: string, text: string | undefined, when: string): string[] =>
    text === undefined ? [] : [`%${name}`, `if [ "$1" ${when} ]; then`, text.trim(), 'fi', ''];
  return [
    '%global debug_package %{nil}',
    '%global __os_install_post %{nil}',
    '%global _build_id_links none',
    `Name: ${rpm.name}`,
    `Version: ${rpm.version}`,
    'Release: 1.lab',
    `Summary: ${rpm.summary}`,
    'License: as in Debian',
    'AutoReqProv: no',
    ...(rpm.arch === 'noarch' ? ['BuildArch: noarch'] : []),
    ...(rpm.provides ?? []).map((name) => `Provides: ${name}`),
    ...(rpm.requires ?? []).map((name) => `Requires: ${name}`),
    '',
    '%description',
    `${rpm.summary}, repacked for hosts of a lab.`,
    '',
    // $1: how many of the package there are then.
    ...script('pre', pre, '= 1'),
    ...script('post', post, '= 1'),
    ...script('preun', preun, '= 0'),
    ...script('postun', postun, '= 0'),
    '%files',
    ...folders.map(
      (path) =>
        `${owners[path] === undefined ? '' : `%attr(0750, ${owners[path]}, ${owners[path]}) `}%dir ${quoted(path)}`,
    ),
    ...files.map(quoted),
    ...config.map((path) => `%config(noreplace) ${quoted(path)}`),
    '',
  ].join('\n');
}

/** `Inst NAME (...)` lines of `apt-get install --simulate`: what would come, in that order. Pure. */
export const simulatedInstall = (output: string): string[] =>
  [...output.matchAll(/^Inst (\S+) /gm)].map(([, name = '']) => name.replace(/:\w+$/, ''));

/** RPM takes no `-` in a version, nor an epoch in it: `1:4.3-2+deb12u1` is `4.3_2+deb12u1`. Pure. */
export const rpmVersion = (debian: string): string => debian.replace(/^\d+:/, '').replaceAll('-', '_');
