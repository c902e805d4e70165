import { z } from 'zod';
import { pinnedFingerprint } from '../../activities/host/host-keys.ts';
import { jumpName } from '../../activities/host/unconfirmed-key.ts';
import { type ClusterSpec, sshTarget } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { hostKey } from '../../contracts/host.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import { type Caller, callerOf } from '../caller.ts';
import { requireHost } from '../corrections.ts';
import type { ApiDeps } from '../deps.ts';
import { actorFor } from '../plugins/auth.ts';
import { clusterParams, defineRoutes, requireCluster, responses } from '../route.ts';

const body = z.strictObject({
  fingerprint: hostKey.describe('The key as shown on the machine itself: SHA256:..., or the whole public key'),
  jump: z.boolean().default(false).describe('True: confirm the key of the jump host of this host'),
});

interface Confirmation {
  cluster: string;
  /** The name that the key is kept under. */
  known: string;
  fingerprint: string;
  spec: ClusterSpec;
  host: string;
}

/** POST /clusters/:name/hosts/:host/host-key: a person says that a host key is the right one. Passwords need that. */
export default defineRoutes((api, deps) => {
  api.post(
    '/clusters/:name/hosts/:host/host-key',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'confirmHostKey',
        summary: 'Confirm the SSH host key of a host, so that passwords may be sent to it. Then retry the host',
        tags: ['hosts'],
        params: clusterParams.extend({ host: dnsLabel }),
        body,
        response: responses({ 200: z.object({ host: z.string().max(300), fingerprint: hostKey }) }),
      },
    },
    async (request) => {
      const { name: cluster, host } = request.params;
      const { fingerprint, jump } = request.body;
      const spec = await deps.store.specs.get(await specInUse(deps, cluster));
      const target = sshTarget(spec, requireHost(spec, host));
      if (jump && !target.jump) throw new KubewrightError('BAD_REQUEST', `body.jump: host ${host} has no jump host`);
      const known = jump ? jumpName(target.jump!) : host;
      await requireSameMachine(deps, callerOf(request), { cluster, known, fingerprint, spec, host });
      await deps.store.hostKeys.confirm(cluster, known, fingerprint, actorFor(request).name);
      return { host: known, fingerprint };
    },
  );
});

/**
 * A control plane or etcd host that shows another key than the one it was seen with may be another machine, and would be
 * given the cluster's secrets. Throws FORBIDDEN.
 */
async function requireSameMachine(
  deps: ApiDeps,
  { actor }: Caller,
  { cluster, known, fingerprint, spec, host }: Confirmation,
): Promise<void> {
  if (actor.role === 'admin' || spec.spec.policy.operatorsMay?.includes('control-planes')) return;
  const { roles } = requireHost(spec, host);
  if (!roles.includes('control-plane') && !roles.includes('etcd')) return;
  const seen = await deps.store.hostKeys.get(cluster, known);
  // One that was confirmed and never shown is a fingerprint still.
  if (seen === null || seen.startsWith('SHA256:') || pinnedFingerprint(seen) === pinnedFingerprint(fingerprint)) return;
  throw new KubewrightError(
    'FORBIDDEN',
    `host ${host} holds secrets of the whole cluster and had another key before: this needs the role admin`,
  );
}

/** Of the operation that runs, or of the cluster. Throws NOT_FOUND. */
async function specInUse(deps: ApiDeps, cluster: string): Promise<string> {
  const active = await deps.store.projections.activeOperation(cluster);
  return active?.specRef ?? (await requireCluster(deps, cluster)).specRef;
}
