import { X509Certificate } from 'node:crypto';
import type { ClusterSpec } from '../../contracts/cluster.ts';
import { type ClientCertificateUse, registryCertificateUse } from '../../contracts/credential-use.ts';
import type { FieldIssue } from '../../contracts/issues.ts';
import { placeOf, type Registry, serverUrl } from '../../contracts/registries.ts';
import type { Pki } from '../pki/types.ts';
import { plainText, type SecretText, secretText } from '../resources/resource.ts';
import { REGISTRY_HOSTNAME } from './paths.ts';

/** How a node reaches one registry of `spec.registries`, secrets opened. */
export interface RegistryAccess {
  /** As image references name it. */
  host: string;
  /** Address of its server, such as https://registry-1.docker.io. */
  url: string;
  plainHttp: boolean;
  /** Addresses that are asked before it. */
  mirrors: readonly string[];
  /** PEM; null: what the host trusts. */
  ca: string | null;
  client: { certificate: string; privateKey: SecretText } | null;
  /** `user:password` in base64. */
  login: SecretText | null;
}

interface RegistryContext {
  cluster: ClusterSpec;
  clientCertificate: (
    use: ClientCertificateUse,
  ) => Promise<{ certificate: string; privateKey: SecretText; ca: string }>;
  registryLogin: (registry: Registry) => Promise<{ basic: SecretText } | null>;
}

/**
 * The registries of the spec, in its order, for the phase of a container runtime. Throws SSH_CREDENTIAL_UNUSABLE,
 * CLIENT_CERTIFICATE_UNUSABLE.
 */
export function registriesOf(context: RegistryContext): Promise<RegistryAccess[]> {
  return Promise.all((context.cluster.spec.registries ?? []).map((registry) => opened(context, registry)));
}

async function opened(context: RegistryContext, registry: Registry): Promise<RegistryAccess> {
  const use = registryCertificateUse(registry);
  const certificate = use ? await context.clientCertificate(use) : null;
  const login = await context.registryLogin(registry);
  return {
    host: registry.host,
    url: serverUrl(registry),
    plainHttp: registry.plainHttp ?? false,
    mirrors: registry.mirrors ?? [],
    ca: certificate?.ca ?? registry.ca ?? null,
    client: certificate ? { certificate: certificate.certificate, privateKey: certificate.privateKey } : null,
    login: login?.basic ?? null,
  };
}

/** The entry that says how to reach a mirror; null where none does. */
export const entryOf = (url: string, registries: readonly RegistryAccess[]): RegistryAccess | null =>
  registries.find(({ host }) => host === placeOf(url)) ?? null;

/**
 * A file with logins. Digests of what is written are in the journal: without the line in front a short password could be found
 * from them. `text` holds no secret when there are no logins, and is then given back as it is.
 */
export async function withLogins(
  pki: Pki,
  registries: readonly RegistryAccess[],
  text: (salt: string) => string,
): Promise<string | SecretText> {
  if (registries.every(({ login }) => login === null)) return text('');
  return secretText(text(plainText(await pki.randomSecret('registry-logins', 24))));
}

/** What of `spec.registries` no runtime can do. Pure. */
export function registryIssues({ spec }: ClusterSpec): FieldIssue[] {
  return (spec.registries ?? []).flatMap(({ host, ca, mirrors = [] }, index) => {
    const path = `spec.registries[${index}]`;
    const own = [host, ...mirrors.map(placeOf)].some((each) => each.split(':')[0] === REGISTRY_HOSTNAME);
    const problem = ca === undefined ? null : caProblem(ca);
    return [
      ...(own
        ? [
            {
              path: `${path}.host`,
              message: `${REGISTRY_HOSTNAME} is the registry of the cluster: nodes know it already`,
            },
          ]
        : []),
      ...(problem === null ? [] : [{ path: `${path}.ca`, message: problem }]),
    ];
  });
}

/** Why a text is no bundle of authorities; null when it is one. */
function caProblem(text: string): string | null {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) return 'has no complete certificate in PEM form';
  for (const [index, block] of blocks.entries()) {
    try {
      const { ca, subject } = new X509Certificate(block);
      if (!ca && blocks.length === 1)
        return `is not the certificate of an authority (basicConstraints CA:TRUE), but that of ${subject.replaceAll('\n', ', ').slice(0, 200)}`;
    } catch {
      return `certificate ${index + 1} cannot be parsed`;
    }
  }
  return null;
}
