import { expect, test } from 'vitest';
import nodeLabels from '../../../activities/phases/node-labels/phase.ts';
import { phaseRun } from '../../../activities/tasks/phase-run.ts';
import { FakeHost } from '../../fakes/fake-host.ts';
import { sampleContext } from '../../golden/golden.ts';

const NODES = JSON.stringify({
  items: [{ metadata: { name: 'worker-1', resourceVersion: '7' }, spec: {}, status: { anything: 'else' } }],
});
const CONFLICT = { code: 1, stderr: 'Error from server (Conflict): the object has been modified' };

async function run(remote: FakeHost) {
  const context = await sampleContext(nodeLabels, {});
  const signal = new AbortController().signal;
  return nodeLabels.hooks!.after!(
    phaseRun(context, { phase: 'node-labels', remote, changes: [], verified: false, signal }),
  );
}

test('labels are set through the control plane; a conflict makes it read again', async () => {
  const host = new FakeHost('cp-1');
  let patches = 0;
  host.on(/kubectl get nodes/, NODES).on(/kubectl patch node/, () => (++patches === 1 ? CONFLICT : ''));
  expect(await run(host)).toEqual([
    { resource: 'node:worker-1', action: 'update', detail: 'node-role.kubernetes.io/worker= tier=web' },
  ]);
  expect(patches).toBe(2);
});

test('what the API server refuses is told at once', async () => {
  const host = new FakeHost('cp-1');
  host.on(/kubectl get nodes/, NODES).on(/kubectl patch node/, { code: 1, stderr: 'Forbidden' });
  await expect(run(host)).rejects.toMatchObject({ code: 'COMMAND_FAILED', evidence: 'Forbidden' });
  expect(host.commands).toHaveLength(2);
});
