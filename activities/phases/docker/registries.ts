import { type ClusterSpec, hostsWithRole } from '../../../contracts/cluster.ts';
import type { FieldIssue } from '../../../contracts/issues.ts';
import { DOCKER_HUB } from '../../../contracts/registries.ts';
import { REGISTRY_ENDPOINT } from '../../kube/paths.ts';
import { type RegistryAccess, registryIssues, withLogins } from '../../kube/registries.ts';
import { registryClientLeaf } from '../../kube/registry-client.ts';
import { file } from '../../resources/file.ts';
import { plainText, type Resource } from '../../resources/resource.ts';
import { rawPhaseOptions } from '../options.ts';
import type { PhaseContext } from '../phase.ts';
import type { DockerOptions } from './options.ts';
import { DOCKER_CERTS_D, KUBELET_LOGINS } from './paths.ts';

/** Docker Hub under the name that logins have there; the kubelet compares it with names of images. */
const HUB_LOGIN = 'https://index.docker.io/v1/';

/** certs.d: authorities and client certificates, by host and port of the registry. Docker takes these names of files alone. */
export async function certificateFiles(
  { cluster, host, pki }: PhaseContext<DockerOptions>,
  registries: readonly RegistryAccess[],
): Promise<Resource[]> {
  const own = hostsWithRole(cluster, 'registry').length > 0 ? await registryClientLeaf(pki, host) : null;
  const known = registries.map((each) => ({ ...each, host: each.host }));
  return [
    ...(own === null
      ? []
      : [
          file(`${DOCKER_CERTS_D}/${REGISTRY_ENDPOINT}/ca.crt`, own.ca),
          file(`${DOCKER_CERTS_D}/${REGISTRY_ENDPOINT}/client.cert`, own.cert),
          file(`${DOCKER_CERTS_D}/${REGISTRY_ENDPOINT}/client.key`, own.key, { mode: 0o600 }),
        ]),
    ...known.flatMap(({ host: name, ca, client }) => [
      ...(ca === null ? [] : [file(`${DOCKER_CERTS_D}/${name}/ca.crt`, ca)]),
      ...(client === null
        ? []
        : [
            file(`${DOCKER_CERTS_D}/${name}/client.cert`, client.certificate),
            file(`${DOCKER_CERTS_D}/${name}/client.key`, client.privateKey, { mode: 0o600 }),
          ]),
    ]),
  ];
}

/**
 * The logins for the kubelet: neither dockerd nor cri-dockerd has a place for them, they take what comes with each pull. The
 * kubelet reads the file anew within five minutes.
 */
export async function loginFile(
  { pki }: Pick<PhaseContext<DockerOptions>, 'pki'>,
  registries: readonly RegistryAccess[],
): Promise<Resource[]> {
  const logins = registries.flatMap(({ host, login }) =>
    login === null ? [] : [[host === DOCKER_HUB ? HUB_LOGIN : host, { auth: plainText(login) }] as const],
  );
  if (logins.length === 0) return [];
  // `salt`: a member that the kubelet does not read.
  const text = await withLogins(
    pki,
    registries,
    (salt) => `${JSON.stringify({ auths: Object.fromEntries(logins), salt }, null, 2)}\n`,
  );
  return [file(KUBELET_LOGINS, text, { mode: 0o600 })];
}

/** What of `spec.registries` Docker cannot do. Pure. */
export function dockerRegistryIssues(cluster: ClusterSpec): FieldIssue[] {
  const registries = cluster.spec.registries ?? [];
  const issues = registries.flatMap(({ host, mirrors, credential }, index): FieldIssue[] => {
    const path = `spec.registries[${index}]`;
    if (!mirrors) return [];
    if (host !== DOCKER_HUB) {
      return [
        {
          path: `${path}.mirrors`,
          message: `Docker has mirrors of ${DOCKER_HUB} only; containerd has them of ${host} too`,
        },
      ];
    }
    return [
      ...mirrors
        .filter((url) => new URL(url).pathname !== '/')
        .map((url) => ({
          path: `${path}.mirrors`,
          message: `${url}: Docker takes no project behind the address of a mirror`,
        })),
      ...(credential
        ? [
            {
              path: `${path}.credential`,
              message: `Docker would send the login of ${DOCKER_HUB} to its mirrors as well: remove one of the two`,
            },
          ]
        : []),
    ];
  });
  const mirrorLogins = registries.flatMap(({ host, credential }, index): FieldIssue[] =>
    credential && registries.some(({ mirrors = [] }) => mirrors.some((url) => url.replace(/^https?:\/\//, '') === host))
      ? [
          {
            path: `spec.registries[${index}].credential`,
            message: `Docker does not log in to mirrors, and ${host} is one`,
          },
        ]
      : [],
  );
  return [...registryIssues(cluster), ...issues, ...mirrorLogins, ...rootDirIssues(cluster)];
}

/** The kubelet reads the logins in its root folder. */
function rootDirIssues(cluster: ClusterSpec): FieldIssue[] {
  const { kubelet } = rawPhaseOptions(cluster, 'nodes') as { kubelet?: { extraArgs?: Record<string, unknown> } };
  const moved = kubelet?.extraArgs?.['root-dir'] !== undefined;
  if (!moved || !(cluster.spec.registries ?? []).some(({ credential }) => credential)) return [];
  const message = 'logins of spec.registries need the folder /var/lib/kubelet with Docker: remove the flag';
  return [{ path: 'spec.phases.nodes.kubelet.extraArgs.root-dir', message }];
}
