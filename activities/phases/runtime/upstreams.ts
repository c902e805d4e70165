import { CONTAINERD_CERTS_D } from '../../kube/paths.ts';
import { entryOf, type RegistryAccess } from '../../kube/registries.ts';
import { type TomlTable, toml } from '../../render/toml.ts';
import { file } from '../../resources/file.ts';
import { plainText, type Resource } from '../../resources/resource.ts';

const pathsOf = (host: string) => {
  const folder = `${CONTAINERD_CERTS_D}/${host}`;
  return {
    hosts: `${folder}/hosts.toml`,
    ca: `${folder}/ca.crt`,
    cert: `${folder}/client.crt`,
    key: `${folder}/client.key`,
  };
};

/** certs.d: for each registry of the spec where its images are, and by which certificates. containerd reads them at every pull. */
export function upstreamFiles(registries: readonly RegistryAccess[]): Resource[] {
  return registries.flatMap((registry) => {
    const { ca, client } = registry;
    const paths = pathsOf(registry.host);
    return [
      ...(ca === null ? [] : [file(paths.ca, ca)]),
      ...(client === null
        ? []
        : [file(paths.cert, client.certificate), file(paths.key, client.privateKey, { mode: 0o600 })]),
      file(paths.hosts, hostsToml(registry, registries)),
    ];
  });
}

/** hosts.toml of one registry: its mirrors in their order, then its server. */
function hostsToml(registry: RegistryAccess, registries: readonly RegistryAccess[]): string {
  const servers = [
    ...registry.mirrors.map((url) => ({ ...serverPath(url), access: entryOf(url, registries) })),
    { url: registry.url, override_path: undefined, access: registry },
  ];
  return toml({
    server: registry.url,
    host: Object.fromEntries(
      servers.map(({ url, override_path, access }): [string, TomlTable] => [
        url,
        { capabilities: ['pull', 'resolve'], override_path, ...tlsOf(access) },
      ]),
    ),
  });
}

/** containerd puts `/v2` behind the address of a server; a project of a mirror comes behind that. */
function serverPath(url: string): { url: string; override_path?: true } {
  const { origin, pathname } = new URL(url);
  return pathname === '/' ? { url: origin } : { url: `${origin}/v2${pathname}`, override_path: true };
}

function tlsOf(access: RegistryAccess | null): TomlTable {
  if (!access) return {};
  const paths = pathsOf(access.host);
  return {
    ...(access.ca === null ? {} : { ca: paths.ca }),
    ...(access.client === null ? {} : { client: [[paths.cert, paths.key]] }),
  };
}

/**
 * The part of config.toml with the logins, by the name of the server that they are for: containerd sends each to that one
 * alone. hosts.toml has no place for them: its `header` is sent to servers that ask for tokens as well, which do not take it.
 */
export function loginsOf(registries: readonly RegistryAccess[]): TomlTable | undefined {
  const logins = registries.flatMap(({ url, login }): [string, TomlTable][] =>
    login === null ? [] : [[new URL(url).host, { auth: { auth: plainText(login) } }]],
  );
  return logins.length === 0 ? undefined : Object.fromEntries(logins);
}
