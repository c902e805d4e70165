import { keepEnd } from '../../contracts/cut.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { LIMITS } from '../../contracts/limits.ts';
import type { HostFacts } from '../host/types.ts';
import { APT_INSTALL, APT_UNDO, aptQuery } from './apt.ts';
import { digestOfParts } from './digest.ts';
import { DNF_INSTALL, DNF_UNDO, rpmQuery } from './dnf.ts';
import { PACKAGES_AT_WORK } from './paths.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface PackagesResource extends Resource {
  readonly kind: 'packages';
  readonly apt: readonly string[];
  readonly dnf: readonly string[];
  /** Servers that the package manager reaches directly, whatever proxy it is configured for. */
  readonly direct: readonly string[];
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
const NAME = /^[A-Za-z0-9][A-Za-z0-9+._-]{0,127}$/;
/** By package manager; `resumes`: the packages that its script must know after an interruption. */
const SCRIPTS: Readonly<Record<string, { install: string; resumes: 'missing' | 'wanted' }>> = {
  apt: { install: APT_INSTALL, resumes: 'missing' },
  dnf: { install: DNF_INSTALL, resumes: 'wanted' },
};
const UNDO: Readonly<Record<string, string>> = { apt: APT_UNDO, dnf: DNF_UNDO };

/**
 * Packages of the distribution, any version. Only what is missing is installed, in one transaction. Through the proxy of
 * `spec.proxy`, else through the one that the host's apt or dnf is configured for; never to the servers of `direct`.
 */
export function packages(
  names: { apt: readonly string[]; dnf?: readonly string[] },
  direct: readonly string[],
): PackagesResource {
  const { apt, dnf = apt } = names;
  for (const name of [...apt, ...dnf]) {
    if (!NAME.test(name)) throw new Error(`not a package name: ${JSON.stringify(name)}`);
  }
  return { kind: 'packages', id: apt.join(' '), apt, dnf, direct };
}

const wanted = (resource: PackagesResource, facts: HostFacts): readonly string[] =>
  facts.packageManager === 'dnf' ? resource.dnf : resource.apt;

const missing = (resource: PackagesResource, observed: PackagesState, facts: HostFacts): string[] =>
  wanted(resource, facts).filter((name) => !observed.installed.has(name));

export default defineKind<PackagesResource, PackagesState>({
  kind: 'packages',
  probe({ apt, dnf }, quote) {
    const words = (names: readonly string[]): string => names.map(quote).join(' ');
    const lines = [`if [ -e ${PACKAGES_AT_WORK} ]; then echo ${quote(INTERRUPTED)}; fi`];
    if (apt.length > 0) lines.push(`if command -v dpkg-query >/dev/null; then ${aptQuery(words(apt))}; fi`);
    if (dnf.length > 0)
      lines.push(`if command -v rpm >/dev/null && command -v dnf >/dev/null; then ${rpmQuery(words(dnf))}; fi`);
    return [...lines, `echo ${quote(ASKED)}`].join('\n');
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
    const script = SCRIPTS[facts.packageManager];
    if (!script) {
      throw new KubewrightError('OS_UNSUPPORTED', `${host.name} has neither apt nor dnf`, { host: host.name });
    }
    const all = observed.interrupted && script.resumes === 'wanted';
    const names = all ? wanted(resource, facts) : missing(resource, observed, facts);
    const { code, stdout, stderr } = await host.script(script.install, [phase, ...names], {
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
  ledgerEntries: ({ apt, dnf }, observed) =>
    observed === null ? [...new Set([...apt, ...dnf])].map((id) => ({ id, prior: {} })) : [],
  dry: 'together',
  // Packages that came along are kept as long as others need them.
  keptStays: true,
  undo(entries, { facts, quote }) {
    const named = (what: string) =>
      entries.filter(({ id, prior }) => NAME.test(id) && prior?.[what] === true).map(({ id }) => quote(id));
    const script = UNDO[facts.packageManager];
    if (!script) return [];
    const [ours, theirs] = [named('installed'), named('removed')];
    const unknown = entries.filter(({ id, prior }) => NAME.test(id) && prior === null).map(({ id }) => quote(id));
    const lines = [
      script,
      ...unknown.map(
        (name) =>
          `if kw_there ${name}; then KW_KEY=packages:${name} kw_tell kept 'it is not known who installed it'; fi`,
      ),
      ...(ours.length > 0 ? [`kw_purge ${ours.join(' ')} || exit 1`] : []),
      ...(theirs.length > 0 ? [`kw_install_again ${theirs.join(' ')}`] : []),
    ];
    return [{ key: 'packages:*', script: lines.join('\n') }];
  },
  digest: ({ apt, dnf }) => digestOfParts([...apt, '|', ...dnf]),
});
