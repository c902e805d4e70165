import { z } from 'zod';
import type { Change } from '../../../contracts/operation.ts';
import { askKubectl, KUBECTL_ENV } from '../../kube/kubectl.ts';
import { ADMIN_KUBECONFIG } from '../../kube/paths.ts';
import { type ManifestsResource, type ObjectRef, refOf } from '../../resources/manifests.ts';
import { desiredOnce } from '../desired.ts';
import { definePhase, type PhaseRun } from '../phase.ts';
import { DELETE_SCRIPT, deleteArguments, FIND_SCRIPT, parseFound, refName } from './objects.ts';

/** Objects of ours that no phase desires any more leave the cluster. Planned only where the desired state may have changed. */
export default definePhase({
  name: 'prune',
  title: 'Prune objects',
  hosts: 'one-control-plane',
  closing: true,
  needs: [{ phase: 'control-plane', on: 'same-host' }],
  timeouts: { applyMs: 6 * 60_000, verifyMs: 10_000 },
  expectedMs: 2_000,
  options: z.strictObject({}),
  run: prune,
});

async function prune(run: PhaseRun<unknown>): Promise<Change[]> {
  const { remote, mode, fail } = run;
  if (mode === 'check') {
    // A cluster that is not built yet has no objects.
    const { code } = await remote.exec(['test', '-e', ADMIN_KUBECONFIG], { okCodes: [0, 1] });
    if (code !== 0) return [];
  }
  const wanted = new Set((await desiredObjects(run)).map(refName));
  // Until the API server answers; what it does not list is only not pruned.
  await askKubectl(run, ['get', '--raw', '/readyz'], mode === 'check' ? { retryForMs: 5_000 } : {});
  const { code, stdout, stderr } = await remote.script(FIND_SCRIPT, [run.cluster.metadata.name], {
    env: KUBECTL_ENV,
    okCodes: 'any',
    timeoutMs: 120_000,
    maxOutputBytes: 8 * 1024 * 1024,
  });
  if (code !== 0) fail('STATE_UNKNOWN', 'the API server does not list the objects that are ours', stderr);
  const leaving = parseFound(stdout).filter((ref) => !wanted.has(refName(ref)));
  if (leaving.length === 0) return [];
  if (mode === 'apply') {
    const deleted = await remote.script(DELETE_SCRIPT, leaving.flatMap(deleteArguments), {
      env: KUBECTL_ENV,
      okCodes: 'any',
      timeoutMs: 5 * 60_000,
    });
    if (deleted.code !== 0) fail('COMMAND_FAILED', 'objects could not be pruned', `${deleted.stdout}${deleted.stderr}`);
  }
  return leaving.map((ref) => ({
    resource: `object:${refName(ref)}`,
    action: 'remove',
    detail: `placed by ${ref.phase}`,
  }));
}

async function desiredObjects(run: PhaseRun<unknown>): Promise<ObjectRef[]> {
  const found = await desiredOnce(run);
  return found.flatMap(({ phase, resources }) => [
    ...resources.flatMap((each) => (each.kind === 'manifests' ? (each as ManifestsResource).objects.map(refOf) : [])),
    ...(phase.objects ?? []),
  ]);
}
