import type { z } from 'zod';
import { kubeconfigDocument, kubeconfigRequest } from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Actor } from '../../contracts/operation.ts';
import { actorFor, giverOf } from '../plugins/auth.ts';
import { recordIssue } from '../record-issue.ts';
import { clusterParams, defineRoutes, requireCluster, responses } from '../route.ts';

type Group = z.infer<typeof kubeconfigRequest>['group'];

/** The groups that a role may have a kubeconfig for: a role gets no more rights in a cluster than in Kubewright. */
const GROUPS: Record<Actor['role'], readonly Group[]> = {
  viewer: ['kubewright:viewers'],
  operator: ['kubewright:viewers', 'kubewright:editors'],
  admin: ['kubewright:viewers', 'kubewright:editors', 'kubewright:cluster-admins', 'system:masters'],
};

/** Names that certificates of the cluster's own parts have: a person may not be taken for one of them. */
const RESERVED = /^(system|kube|kubewright|etcd|front-proxy)(-|$)/;

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const SHORTEST_MS = 10 * UNIT_MS.m;
const LONGEST_MS = 30 * UNIT_MS.d;

/** /clusters/:name/kubeconfig: the admin's for admins alone, and one per person for all roles. */
export default defineRoutes((api, deps) => {
  const answer = {
    tags: ['clusters'],
    params: clusterParams,
    produces: ['application/yaml'],
    // As its reader sees it once the YAML is parsed.
    response: responses({ 200: kubeconfigDocument }),
  };
  api.get(
    '/clusters/:name/kubeconfig',
    {
      config: { role: 'admin', audited: true },
      schema: { operationId: 'getKubeconfig', summary: 'Get the admin kubeconfig of the cluster', ...answer },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { specRef } = await requireCluster(deps, name);
      const text = await deps.kubeconfig(name, await deps.store.specs.get(specRef));
      if (text === null) throw notBuilt(name);
      request.log.warn({ cluster: name, actor: actorFor(request).name }, 'a caller read the admin kubeconfig');
      return (
        reply
          .type('application/yaml')
          .header('cache-control', 'no-store')
          // Typed for the schema's document; the text is sent as it is.
          .send(text as never)
      );
    },
  );

  api.post(
    '/clusters/:name/kubeconfig',
    {
      config: { role: 'viewer', audited: true },
      schema: {
        operationId: 'issueKubeconfig',
        summary: 'Create a personal kubeconfig: a client certificate with a user name, a group and an expiry',
        body: kubeconfigRequest,
        ...answer,
      },
    },
    async (request, reply) => {
      const { name: cluster } = request.params;
      const { group, expiresIn, name } = request.body;
      const actor = actorFor(request);
      const person = name ?? actor.name;
      if (person !== actor.name && actor.role !== 'admin') {
        throw new KubewrightError('FORBIDDEN', `only admins may issue kubeconfigs for others, such as ${person}`);
      }
      if (!GROUPS[actor.role].includes(group)) {
        throw new KubewrightError(
          'FORBIDDEN',
          `the role ${actor.role} may not issue a kubeconfig of the group ${group}`,
        );
      }
      if (RESERVED.test(person)) {
        throw new KubewrightError('BAD_REQUEST', `body.name: ${person} is reserved for components of the cluster`);
      }
      const lifeMs = lifeOf(expiresIn);
      const { specRef } = await requireCluster(deps, cluster);
      const issued = await deps.personalKubeconfig(cluster, await deps.store.specs.get(specRef), {
        person,
        group,
        lifeMs,
      });
      if (issued === null) throw notBuilt(cluster);
      const { serial, expiresAt } = issued;
      await recordIssue(deps.store.journal, giverOf(request), {
        what: 'kubeconfig',
        id: serial,
        cluster,
        facts: { person, group, serial, expires: expiresAt },
        detail: `for ${person} in ${group} until ${expiresAt}`,
      });
      request.log.warn({ cluster, actor: actor.name, person, group, serial, expiresAt }, 'the API issued a kubeconfig');
      return reply
        .type('application/yaml')
        .header('cache-control', 'no-store')
        .header('x-certificate-serial', serial)
        .header('x-certificate-expires', expiresAt)
        .send(issued.text as never);
    },
  );
});

function lifeOf(text: string): number {
  const lifeMs = Number(text.slice(0, -1)) * UNIT_MS[text.at(-1) as keyof typeof UNIT_MS];
  if (lifeMs < SHORTEST_MS || lifeMs > LONGEST_MS) {
    throw new KubewrightError('BAD_REQUEST', 'body.expiresIn must be from 10m to 30d');
  }
  return lifeMs;
}

const notBuilt = (cluster: string) => new KubewrightError('CONFLICT', `the cluster ${cluster} has no certificates yet`);
