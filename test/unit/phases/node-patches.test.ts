import { expect, test } from 'vitest';
import { type NodeObject, nodePatches } from '../../../activities/phases/node-labels/patches.ts';
import { host } from '../../../contracts/host.ts';

const worker = (more: object = {}) => host.parse({ name: 'w-1', address: '10.0.0.2', roles: ['worker'], ...more });
const controlPlane = () => host.parse({ name: 'w-1', address: '10.0.0.2', roles: ['control-plane'] });
const node = (more: Partial<NodeObject['metadata']> = {}, taints?: NodeObject['spec']['taints']): NodeObject => ({
  metadata: { name: 'w-1', resourceVersion: '7', ...more },
  spec: { taints },
});
/** What the API server would make of the patch. */
function patched(before: NodeObject, patch: object): NodeObject {
  const { metadata, spec } = patch as {
    metadata: { labels?: Record<string, string | null>; annotations: Record<string, string> };
    spec?: NodeObject['spec'];
  };
  const labels = { ...before.metadata.labels, ...metadata.labels };
  const kept = Object.entries(labels).filter((entry): entry is [string, string] => entry[1] !== null);
  return {
    metadata: {
      ...before.metadata,
      labels: Object.fromEntries(kept),
      annotations: { ...before.metadata.annotations, ...metadata.annotations },
    },
    spec: { ...before.spec, ...spec },
  };
}

test('roles and labels of the spec; a second run changes nothing', () => {
  const hosts = [worker({ labels: { tier: 'web' } })];
  const [first] = nodePatches(hosts, [node({ labels: { 'kubernetes.io/os': 'linux' } })]);
  expect(first).toMatchObject({
    name: 'w-1',
    sets: ['node-role.kubernetes.io/worker=', 'tier=web'],
    removes: [],
    patch: { metadata: { labels: { 'node-role.kubernetes.io/worker': '', tier: 'web' } } },
  });
  expect(nodePatches(hosts, [patched(node(), first!.patch)])).toEqual([]);
});

test('load balancers leave out a control plane that takes no pods, and no other', () => {
  const label = 'node.kubernetes.io/exclude-from-external-load-balancers';
  const both = host.parse({ name: 'w-1', address: '10.0.0.2', roles: ['control-plane', 'worker'] });
  expect(nodePatches([controlPlane()], [node()])[0]!.patch).toMatchObject({ metadata: { labels: { [label]: '' } } });
  const after = patched(node(), nodePatches([controlPlane()], [node()])[0]!.patch);
  expect(patched(after, nodePatches([both], [after])[0]!.patch).metadata.labels).not.toHaveProperty(label);
});

test('what left the spec goes, what others set stays', () => {
  const tainted = worker({ labels: { tier: 'web' }, taints: [{ key: 'gpu', effect: 'NoSchedule' }] });
  const foreign = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' };
  const before = patched(
    node({ labels: { team: 'a' } }, [foreign]),
    nodePatches([tainted], [node({ labels: { team: 'a' } }, [foreign])])[0]!.patch,
  );
  expect(before.spec.taints).toEqual([foreign, { key: 'gpu', effect: 'NoSchedule' }]);

  const after = patched(before, nodePatches([worker()], [before])[0]!.patch);
  expect(after.metadata.labels).toEqual({ team: 'a', 'node-role.kubernetes.io/worker': '' });
  expect(after.spec.taints).toEqual([foreign]);
});

test('a change of taints carries the version that was read', () => {
  const [patch] = nodePatches([controlPlane()], [node()]);
  expect(patch!.patch).toMatchObject({
    metadata: { resourceVersion: '7' },
    spec: { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] },
  });
});

test('nodes outside the spec are not changed; a broken annotation is no error', () => {
  expect(nodePatches([worker()], [node({ name: 'other' })])).toEqual([]);
  expect(nodePatches([worker()], [node({ annotations: { 'kubewright.dev/from-spec': '{' } })])).toHaveLength(1);
});
