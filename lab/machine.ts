import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tryRun } from './run.ts';

/** capability(7): raising resource limits and lowering OOM scores. Sandboxes often take it away even from root. */
const CAP_SYS_RESOURCE = 24n;

/** True when root may raise hard limits and lower oom_score_adj on this machine. */
export async function hasSysResource(): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8');
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n) === 1n;
}

/** True when the machine has swap switched on. */
export async function hasSwap(): Promise<boolean> {
  // The first line is a heading.
  return (await readFile('/proc/swaps', 'utf8')).trimEnd().split('\n').length > 1;
}

/** The content of /etc/resolv.conf for the hosts: this machine's, without name servers that listen on loopback only. */
export async function resolvConf(): Promise<string> {
  const own = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  if (nameservers(own).length > 0) return own;
  // systemd-resolved keeps the real servers here while /etc/resolv.conf points to its stub (systemd-resolved(8)).
  const behindStub = await readFile('/run/systemd/resolve/resolv.conf', 'utf8').catch(() => '');
  return nameservers(behindStub).length > 0 ? behindStub : own;
}

/** The name servers in a resolv.conf that other machines can reach too. */
export function nameservers(text: string): string[] {
  return [...text.matchAll(/^nameserver\s+(\S+)/gm)]
    .map((match) => match[1] ?? '')
    .filter((ip) => !/^(127\.|::1)/.test(ip));
}

/** How this machine's apt reaches Debian's packages, so that hosts can do the same. */
export interface AptAccess {
  /** Lines for apt.conf: proxies, certificate checks, date checks. */
  conf: string;
  /** One-line sources of the Debian release, taken from this machine; empty when it has none of that release. */
  sources: string[];
  /** This machine's additional CA certificates by file name: a proxy may need them. */
  certificates: Record<string, string>;
}

/** Settings of apt that say how to reach a mirror, not what to install. */
const ACCESS_SETTING =
  /^Acquire::((https?|ftp)::(Proxy|CaInfo|CaPath|Timeout|Verify-Peer|Verify-Host)|Check-|Retries)/i;
const CERTIFICATES = '/usr/local/share/ca-certificates';

/** Reads how apt of this machine reaches the packages of a Debian release such as `bookworm`. */
export async function aptAccess(suite: string): Promise<AptAccess> {
  const format = '$(CREATED_BY)|$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)';
  const [dump, targets] = await Promise.all([
    tryRun(['apt-config', 'dump']),
    tryRun(['apt-get', 'indextargets', '--format', format]),
  ]);
  const settings = dump.stdout.split('\n').filter((line) => ACCESS_SETTING.test(line) && !line.endsWith(' "";'));
  for (const scheme of ['http', 'https']) {
    const proxy = process.env[`${scheme}_proxy`] ?? process.env[`${scheme.toUpperCase()}_PROXY`];
    if (proxy && !settings.some((line) => line.startsWith(`Acquire::${scheme}::Proxy `)))
      settings.push(`Acquire::${scheme}::Proxy "${proxy}";`);
  }
  const sources = new Set<string>();
  for (const line of targets.stdout.split('\n')) {
    const [kind, origin, codename, uri, release, component] = line.split('|');
    // Components beyond main are a choice of this machine's owner.
    if (kind !== 'Packages' || origin !== 'Debian' || component !== 'main') continue;
    if (codename === suite || codename?.startsWith(`${suite}-`)) sources.add(`deb ${uri} ${release} main`);
  }
  // The security archive alone would not make a system.
  const complete = [...sources].some((line) => line.endsWith(` ${suite} main`));
  return {
    conf: settings
      .sort()
      .map((line) => `${line}\n`)
      .join(''),
    sources: complete ? [...sources] : [],
    certificates: await ownCertificates(),
  };
}

async function ownCertificates(): Promise<Record<string, string>> {
  const names = (await readdir(CERTIFICATES).catch(() => [])).filter((name) => name.endsWith('.crt')).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(CERTIFICATES, name), 'utf8')])),
  );
}
