import { keepEnd } from '../../contracts/cut.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { FAMILIES, familyOf, packageNames } from '../host/family/families.ts';
import type { Family, PackageTool } from '../host/family/family.ts';
import type { HostFacts } from '../host/types.ts';
import { digestOfParts } from './digest.ts';
import { PACKAGE_NAME, TOOLS, toolOf } from './package-tools.ts';
import { absolute } from './path-check.ts';
import { PACKAGES_AT_WORK } from './paths.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

/** What each family calls the packages, by the name of its package manager. */
type Lists = Readonly<Record<PackageTool['name'], readonly string[]>>;

export interface PackagesResource extends Resource, Lists {
  readonly kind: 'packages';
  /** Servers that the package manager reaches directly, whatever proxy it is configured for. */
  readonly direct: readonly string[];
  readonly fills?: readonly string[];
}

interface PackagesState {
  /** Names of installed packages. */
  installed: ReadonlySet<string>;
  /** A package manager of ours was killed: it may have left any package half-way. */
  interrupted: boolean;
}

const INTERRUPTED = 'kubewright: interrupted';
/** The last line of a probe: every package manager that is there was asked. */
const ASKED = 'kubewright: asked';

/** Whole distributions have been upgraded in less. */
const INSTALL_TIMEOUT_MS = 20 * 60_000;

/**
 * Packages of the distribution by Debian's names, any version. Only what is missing is installed, in one transaction. Through the proxy of
 * `spec.proxy`, else through the one that the host's package manager is configured for; never to the servers of `direct`.
 * - `sorted`: each family's names in alphabetical order, instead of that of `names`.
 * - `fills`: what the packages make when they are installed and do not remove, such as folders of systemd-tmpfiles and what their
 *   units write at a first start: a teardown removes it where nothing was before the installation.
 */
export function packages(
  names: readonly string[],
  direct: readonly string[],
  { sorted = false, fills }: { sorted?: boolean; fills?: readonly string[] } = {},
): PackagesResource {
  for (const name of names) {
    if (!PACKAGE_NAME.test(name)) throw new Error(`not a package name: ${JSON.stringify(name)}`);
  }
  const listOf = (family: Family) => (sorted ? packageNames(family, names).sort() : packageNames(family, names));
  const lists = Object.fromEntries(FAMILIES.map((family) => [family.packageTool.name, listOf(family)])) as Record<
    keyof Lists,
    string[]
  >;
  return {
    ...{ kind: 'packages' as const, id: names.join(' '), ...lists, direct },
    ...(fills ? { fills: fills.map(absolute) } : {}),
  };
}

const wanted = (resource: PackagesResource, facts: HostFacts): readonly string[] =>
  resource[familyOf(facts).packageTool.name];

/** In the order of the families. */
const listsOf = (resource: Lists) => FAMILIES.map(({ packageTool }) => resource[packageTool.name]);

const missing = (resource: PackagesResource, observed: PackagesState, facts: HostFacts): string[] =>
  wanted(resource, facts).filter((name) => !observed.installed.has(name));

export default defineKind<PackagesResource, PackagesState>({
  kind: 'packages',
  probe(resource, quote) {
    const queries = FAMILIES.flatMap(({ packageTool: { name } }) => {
      const words = resource[name].map(quote).join(' ');
      const { needs, query } = TOOLS[name];
      const there = needs.map((program) => `command -v ${program} >/dev/null`).join(' && ');
      return words === '' ? [] : [`if ${there}; then ${query(words)}; fi`];
    });
    return [
      `if [ -e ${PACKAGES_AT_WORK} ]; then echo ${quote(INTERRUPTED)}; fi`,
      ...queries,
      `echo ${quote(ASKED)}`,
    ].join('\n');
  },
  parse(output) {
    const lines = output.split('\n');
    if (!lines.includes(ASKED)) throw new Unknown(`the list of packages broke off: ${output.slice(-200)}`);
    return {
      installed: new Set(lines.map((line) => line.split(' ')[0] ?? '')),
      interrupted: lines.includes(INTERRUPTED),
    };
  },

  diff(resource, observed, { facts }) {
    const names = missing(resource, observed, facts);
    if (names.length > 0) return [{ resource: resourceKey(resource), action: 'create', detail: names.join(' ') }];
    if (!observed.interrupted || wanted(resource, facts).length === 0) return [];
    return [{ resource: resourceKey(resource), action: 'update', detail: 'finish what was interrupted' }];
  },

  async apply(resource, observed, { facts, host, phase }) {
    const noProxy = resource.direct.join(',');
    const tool = toolOf(facts);
    if (!tool) {
      const known = Object.keys(TOOLS).join(' nor ');
      throw new KubewrightError('OS_UNSUPPORTED', `${host.name} has neither ${known}`, { host: host.name });
    }
    const all = observed.interrupted && tool.resumes === 'wanted';
    const names = all ? wanted(resource, facts) : missing(resource, observed, facts);
    const { code, stdout, stderr } = await host.script(tool.install, [phase, ...names], {
      okCodes: 'any',
      env: { no_proxy: noProxy, NO_PROXY: noProxy },
      timeoutMs: INSTALL_TIMEOUT_MS,
    });
    if (code === 0) return;
    const evidence = `${keepEnd(stdout, LIMITS.evidenceChars / 2)}\n${stderr}`.trim();
    const what = `${facts.packageManager} could not install ${names.join(', ') || 'anything'}`;
    if (code === 75) throw new KubewrightError('PACKAGE_MANAGER_BUSY', what, { host: host.name, evidence });
    const full = /No space left on device|enough free space/.test(`${stdout}${stderr}`);
    throw new KubewrightError(full ? 'DISK_FULL' : 'PACKAGE_INSTALL_FAILED', what, { host: host.name, evidence });
  },

  // The scripts write the ledger themselves, a line per package: only the package manager knows what comes along.
  ledgerEntries: (resource, observed) => [
    ...(observed === null ? [...new Set(listsOf(resource).flat())].map((id) => ({ id, prior: {} })) : []),
    // What of it is there before they are installed is noted before.
    ...(resource.fills ?? []).map((path) => ({ kind: 'leftover', id: path, prior: {}, fills: [path] })),
  ],
  owns: ({ fills = [] }, { kind, id }) =>
    kind === 'leftover' && fills.some((path) => id === path || id.startsWith(`${path}/`)),
  dry: 'together',
  // Packages that came along are kept as long as others need them.
  keptStays: true,
  undo(entries, { facts, quote }) {
    const named = (what: string) =>
      entries.filter(({ id, prior }) => PACKAGE_NAME.test(id) && prior?.[what] === true).map(({ id }) => quote(id));
    const tool = toolOf(facts);
    if (!tool) return [];
    const [ours, theirs] = [named('installed'), named('removed')];
    const unknown = entries
      .filter(({ id, prior }) => PACKAGE_NAME.test(id) && prior === null)
      .map(({ id }) => quote(id));
    const lines = [
      tool.undo,
      ...unknown.map(
        (name) =>
          `if kw_there ${name}; then KW_KEY=packages:${name} kw_tell kept 'it is not known who installed it'; fi`,
      ),
      ...(ours.length > 0 ? [`kw_purge ${ours.join(' ')} || exit 1`] : []),
      ...(theirs.length > 0 ? [`kw_install_again ${theirs.join(' ')}`] : []),
    ];
    return [{ key: 'packages:*', script: lines.join('\n') }];
  },
  digest: (resource) =>
    digestOfParts(listsOf(resource).flatMap((list, index) => (index === 0 ? list : ['|', ...list]))),
});
