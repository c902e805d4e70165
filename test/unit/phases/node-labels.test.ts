import { expect, test } from 'vitest';
import nodeLabels from '../../../activities/phases/node-labels/phase.ts';
import { phaseRun } from '../../../activities/tasks/phase-run.ts';
import { FakeHost } from '../../fakes/fake-host.ts';
import { sampleContext } from '../../golden/golden.ts';

const NODES = JSON.stringify({
  items: [{ metadata: { name: 'worker-1', resourceVersion: '7' }, spec: {}, status: { anything: 'else' } }],
});
const CONFLICT = { code: 1, stderr: 'Error from server (Conflict): the object has been modified' };

async function run(remote: FakeHost, mode: 'apply' | 'check' = 'apply') {
  const context = await sampleContext(nodeLabels, {});
  const signal = new AbortController().signal;
  return nodeLabels.run!(
    phaseRun({ ...context, mode }, { phase: 'node-labels', remote, changes: [], verified: false, signal }),
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

test('a refusal of the API server is thrown at once', async () => {
  const host = new FakeHost('cp-1');
  host.on(/kubectl get nodes/, NODES).on(/kubectl patch node/, { code: 1, stderr: 'Forbidden' });
  await expect(run(host)).rejects.toMatchObject({ code: 'COMMAND_FAILED', evidence: 'Forbidden' });
  expect(host.commands).toHaveLength(2);
});

test('a dry run lists what is set and what is removed, and changes nothing; without a cluster the list is empty', async () => {
  const ours = JSON.stringify({ labels: ['tier', 'zone'], taints: ['old:NoSchedule'] });
  const node = {
    metadata: {
      name: 'worker-1',
      resourceVersion: '7',
      labels: { tier: 'web', zone: 'a', other: 'b' },
      annotations: { 'kubewright.dev/from-spec': ours },
    },
    spec: { taints: [{ key: 'old', effect: 'NoSchedule' }] },
  };
  const host = new FakeHost('cp-1');
  host.on(/test -e/, '').on(/kubectl get nodes/, JSON.stringify({ items: [node] }));
  expect(await run(host, 'check')).toEqual([
    { resource: 'node:worker-1', action: 'update', detail: 'node-role.kubernetes.io/worker=' },
    { resource: 'node:worker-1', action: 'remove', detail: 'zone taint old:NoSchedule' },
  ]);
  const unbuilt = new FakeHost('cp-1');
  unbuilt.on(/test -e/, { code: 1 });
  expect(await run(unbuilt, 'check')).toEqual([]);
});
