import { z } from 'zod';
import type { ClusterSpec } from './cluster.ts';
import { sshTarget } from './cluster.ts';
import type { CredentialScope, CredentialValue } from './credential.ts';
import type { CredentialRef, SshTarget } from './host.ts';
import { address, cidrContains, dnsLabel, ipv4, port } from './primitives.ts';
import { proxyPlace } from './proxy.ts';
import { type Registry, serverOf } from './registries.ts';

/** One use of a credential: what is opened with it, and where. Two logins with equal uses need one approval. */
export interface CredentialUse {
  credential: CredentialRef;
  address: string;
  port: number;
  user: string;
  /** The jump host on the way: behind another one the same address is another machine. */
  via: { address: string; port: number; user: string } | null;
  /** The pinned host key, for secrets that the machine itself gets to see. */
  hostKey: string | null;
}

/** The use that a login to this target is. */
export function credentialUse(target: Omit<SshTarget, 'name'>): CredentialUse {
  const { credential, address, port, user, jump } = target;
  return {
    credential,
    address,
    port,
    user,
    via: jump ? { address: jump.address, port: jump.port, user: jump.user } : null,
    hostKey: 'name' in credential ? (target.hostKey ?? null) : null,
  };
}

/** The uses of the credential of `spec.proxy`: one per address. Empty without a proxy, or without a login to it. */
export function proxyUses({ spec: { proxy } }: ClusterSpec): CredentialUse[] {
  const { credential } = proxy ?? {};
  if (!credential) return [];
  const places = [proxy?.http, proxy?.https].flatMap((url) => (url === undefined ? [] : [proxyPlace(url)]));
  const [first, second] = places;
  const same = second && first?.host === second.host && first.port === second.port;
  return (same ? [first] : places).map(({ host: address, port }) => ({
    ...{ credential, address, port, user: '' },
    ...{ via: null, hostKey: null },
  }));
}

/** A client certificate that options of a phase name, and the servers that it is shown to. */
export const clientCertificateUse = z.strictObject({
  credential: z.strictObject({ name: dnsLabel }),
  places: z.array(z.strictObject({ host: address, port })).min(1),
});
export type ClientCertificateUse = z.infer<typeof clientCertificateUse>;

/** The uses of a client certificate: one per server. */
export function clientCertificateUses({ credential, places }: ClientCertificateUse): CredentialUse[] {
  return places.map(({ host: address, port }) => ({
    ...{ credential, address, port, user: '' },
    ...{ via: null, hostKey: null },
  }));
}

/** The use of the login of a registry: at its server alone. Its address is the name that image references have. */
export function registryLoginUse(registry: Registry): CredentialUse | null {
  if (!registry.credential) return null;
  const { host: address, port } = registryPlace(registry);
  return { credential: registry.credential, address, port, user: '', via: null, hostKey: null };
}

/** The use of the client certificate of a registry. */
export function registryCertificateUse(registry: Registry): ClientCertificateUse | null {
  return registry.clientCertificate
    ? { credential: registry.clientCertificate, places: [registryPlace(registry)] }
    : null;
}

/** As scopes of credentials name it: docker.io is known by that name, not by that of its server. */
const registryPlace = (registry: Registry) => ({
  host: registry.host.split(':')[0]!,
  port: serverOf(registry).port,
});

/** What a credential is used for; each takes its own kinds of stored credentials. */
export type CredentialPurpose = 'login' | 'proxy' | 'registry-login' | 'client-certificate';

/** The kinds of stored credentials that a purpose takes. */
export const KINDS_OF_PURPOSE: Readonly<Record<CredentialPurpose, readonly CredentialValue['kind'][]>> = {
  login: ['key', 'password'],
  proxy: ['proxy'],
  'registry-login': ['registry-login'],
  'client-certificate': ['client-certificate'],
};

/** A use of a credential, the place in the spec that names it, and what it is for. */
export interface NamedCredentialUse {
  path: string;
  use: CredentialUse;
  purpose: CredentialPurpose;
}

/**
 * Every use of a credential in a spec, with the place that names it. Each host has one, and one more for its jump host;
 * a proxy has one per address, a registry one. Those of options of phases: `phaseCredentialUses`.
 */
export function credentialUses(cluster: ClusterSpec): NamedCredentialUse[] {
  const proxy = proxyUses(cluster).map((use) => ({
    ...{ path: 'spec.proxy.credential', use },
    purpose: 'proxy' as const,
  }));
  const logins = cluster.spec.hosts.flatMap((host, index) => {
    const target = sshTarget(cluster, host);
    const own = host.ssh?.credential ? `spec.hosts[${index}].ssh` : 'spec.ssh';
    const jumpPath = host.ssh?.jump ? `spec.hosts[${index}].ssh.jump` : 'spec.ssh.jump';
    const purpose = 'login' as const;
    const uses = [{ path: `${own}.credential`, use: credentialUse(target), purpose }];
    if (target.jump) uses.push({ path: `${jumpPath}.credential`, use: credentialUse(target.jump), purpose });
    return uses;
  });
  const registries = (cluster.spec.registries ?? []).flatMap((registry, index): NamedCredentialUse[] => {
    const login = registryLoginUse(registry);
    const certificate = registryCertificateUse(registry);
    const path = `spec.registries[${index}]`;
    return [
      ...(login ? [{ path: `${path}.credential`, use: login, purpose: 'registry-login' as const }] : []),
      ...(certificate ? clientCertificateUses(certificate) : []).map((use) => ({
        ...{ path: `${path}.clientCertificate`, use },
        purpose: 'client-certificate' as const,
      })),
    ];
  });
  return [...logins, ...proxy, ...registries];
}

/** True when one of the patterns (a name, or a prefix and `*`) is the cluster's. */
export function clusterInScope(patterns: readonly string[], cluster: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? cluster.startsWith(pattern.slice(0, -1)) : pattern === cluster,
  );
}

/**
 * May a credential with these addresses be used at this one? `after-resolution`: a name that is not listed itself; what it
 * resolves to is to be compared (`addressInScope`) by who connects. Behind a jump host, the jump host says what an address
 * means, so it must be allowed too, and names are not resolved by us.
 */
export function addressVerdict(
  { addresses }: Pick<CredentialScope, 'addresses'>,
  { address, via }: Pick<CredentialUse, 'address' | 'via'>,
): 'allowed' | 'refused' | 'after-resolution' {
  if (addresses === undefined) return 'allowed';
  if (via) return addressInScope(addresses, address) && addressInScope(addresses, via.address) ? 'allowed' : 'refused';
  if (addressInScope(addresses, address)) return 'allowed';
  const networks = addresses.some((each) => each.includes('/') || ipv4.safeParse(each).success);
  return networks && !ipv4.safeParse(address).success ? 'after-resolution' : 'refused';
}

/** True when the address is listed, or lies in a listed network. Of names only those that are listed word for word. */
export function addressInScope(addresses: readonly string[], address: string): boolean {
  const numeric = ipv4.safeParse(address).success;
  return addresses.some((each) => (each.includes('/') ? numeric && cidrContains(each, address) : each === address));
}
