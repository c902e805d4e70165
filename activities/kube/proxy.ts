import { type ClusterSpec, internalAddress } from '../../contracts/cluster.ts';
import { proxyUses } from '../../contracts/credential-use.ts';
import type { ProxyLogin } from '../host/credentials.ts';
import type { Pki } from '../pki/types.ts';
import { absent } from '../resources/absent.ts';
import { file } from '../resources/file.ts';
import { type Resource, secretText } from '../resources/resource.ts';
import { API_SERVERS_HOSTNAME, REGISTRY_HOSTNAME } from './paths.ts';

/** The proxies of `spec.proxy` as clients take them: with user and password, so never to be shown where `login` is. */
export interface ProxyUrls {
  http: string | null;
  https: string | null;
  /** True when the addresses hold a login. */
  login: boolean;
}

/** Percent-encoded for the user part of an address, and plain for every shell and for systemd. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*~]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * The proxies of a cluster; null without `spec.proxy`. `open` reads the stored login, once per address; every form of it
 * goes to `onSecret` before anything is done with it.
 */
export async function proxyUrls(
  cluster: ClusterSpec,
  open: (use: ReturnType<typeof proxyUses>[number]) => Promise<ProxyLogin>,
  onSecret: (value: string) => void,
): Promise<ProxyUrls | null> {
  const { proxy } = cluster.spec;
  if (!proxy) return null;
  let login = '';
  for (const use of proxyUses(cluster)) {
    const { user, password } = await open(use);
    login = `${encoded(user)}:${encoded(password)}@`;
    for (const each of [password, encoded(password), Buffer.from(`${user}:${password}`).toString('base64')])
      onSecret(each);
  }
  const withLogin = (url: string | undefined): string | null =>
    url === undefined ? null : url.replace(/\/$/, '').replace('://', `://${login}`);
  return { http: withLogin(proxy.http), https: withLogin(proxy.https), login: login !== '' };
}

/**
 * What is reached directly: the cluster's ranges, hosts by names and addresses, its domain, registry, endpoint of the API
 * servers (name or address) and mirror, then what the spec adds. Names count with everything below them where they begin with a dot; clients that know no
 * networks (curl before 7.86) find hosts by their own addresses.
 */
export function directPlaces(cluster: ClusterSpec, endpoint: string): string[] {
  const { hosts, network, artifacts, proxy } = cluster.spec;
  const own = [
    ...['localhost', '127.0.0.0/8', '127.0.0.1', network.podCidr, network.serviceCidr],
    ...['.svc', `.${network.clusterDomain}`, network.clusterDomain, API_SERVERS_HOSTNAME, REGISTRY_HOSTNAME],
    ...hosts.flatMap((each) => [each.address, internalAddress(each), each.name]),
    endpoint,
    ...(artifacts.mirror === undefined ? [] : [new URL(artifacts.mirror).hostname]),
  ];
  // curl reads no wildcard; Go and curl read a leading dot as all names below.
  const more = (proxy?.noProxy ?? []).map((each) => each.toLowerCase().replace(/^\*\./, '.'));
  return [...new Set([...own, ...more])];
}

/** What package managers reach directly whatever the host's own configuration says: names of ours that serve files. */
export function directServers({ spec }: ClusterSpec): string[] {
  const { mirror } = spec.artifacts;
  return [...(mirror === undefined ? [] : [new URL(mirror).hostname]), REGISTRY_HOSTNAME];
}

/**
 * The file that names the proxies as variables, for sh and for systemd's EnvironmentFile; without `spec.proxy` it is taken
 * away. Its values need no quotes. Always all variables: an empty one wins over one that a drop-in of others sets.
 */
export async function proxyEnvironment(
  { cluster, proxy, pki }: { cluster: ClusterSpec; proxy: ProxyUrls | null; pki: Pki },
  { path, endpoint }: { path: string; endpoint: string },
): Promise<Resource> {
  if (!proxy) return absent(path);
  const values = { http: proxy.http ?? '', https: proxy.https ?? '', no: directPlaces(cluster, endpoint).join(',') };
  const variables = Object.entries(values).flatMap(([which, value]) => [
    `${which.toUpperCase()}_PROXY=${value}\n`,
    `${which}_proxy=${value}\n`,
  ]);
  // Digests of what is written are in the journal: without the first line a short password could be found from them.
  const salt = proxy.login ? `# ${(await pki.randomSecret('proxy-file', 24)).value}\n` : '';
  const text = `${salt}# Written by Kubewright from spec.proxy.\n${variables.join('')}`;
  return file(path, proxy.login ? secretText(text) : text, { mode: 0o600 });
}
