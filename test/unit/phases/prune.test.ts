import { expect, test } from 'vitest';
import dashboard from '../../../activities/phases/dashboard/phase.ts';
import { builds, ownedBy } from '../../../activities/phases/desired.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { parseFound, refName } from '../../../activities/phases/prune/objects.ts';
import prune from '../../../activities/phases/prune/phase.ts';
import { type ManifestsResource, refOf } from '../../../activities/resources/manifests.ts';
import { phaseRun } from '../../../activities/tasks/phase-run.ts';
import { FakeHost } from '../../fakes/fake-host.ts';
import { sampleCluster, sampleContext } from '../../golden/golden.ts';

const phases = new Map((await loadPhases()).map((phase) => [phase.name, phase]));
const line = (...words: string[]) => `object\t${words.join('\t')}\n`;
const FOUND = [
  line('apps/v1', 'Deployment', 'kube-system', 'dashboard', 'sample', 'dashboard'),
  line('v1', 'Service', 'kube-system', 'dashboard', 'sample', 'dashboard'),
  line('rbac.authorization.k8s.io/v1', 'ClusterRole', '', 'kubewright:dashboard', '', ''),
  line('apps/v1', 'Deployment', 'kube-system', 'coredns', 'sample', 'dns'),
  line('v1', 'Secret', 'kube-system', 'metrics-server-tls', 'sample', 'metrics'),
].join('');

async function run(host: FakeHost, mode: 'apply' | 'check', options: object) {
  const context = await sampleContext(prune, { phases: options as never });
  const signal = new AbortController().signal;
  return prune.run!(
    phaseRun({ ...context, phases, mode }, { phase: 'prune', remote: host, changes: [], verified: false, signal }),
  );
}
const answering = () =>
  new FakeHost('cp-1')
    .on(/test -e/, '', { optional: true })
    .on(/kubectl get --raw \/readyz/, 'ok')
    .on(/api-resources/, FOUND);

test('objects that no phase desires go, by kind and namespace; those of enabled phases stay', async () => {
  const host = answering().on(/kubectl delete/, '');
  const changes = await run(host, 'apply', { dashboard: { enabled: false } });
  expect(changes.map(({ action, resource }) => `${action} ${resource}`)).toEqual([
    'remove object:Deployment.apps kube-system/dashboard',
    'remove object:Service kube-system/dashboard',
    'remove object:ClusterRole.rbac.authorization.k8s.io kubewright:dashboard',
  ]);
  expect(host.commands.at(-1)!.argv).toEqual([
    ...['kube-system', 'Deployment.apps', 'dashboard'],
    ...['kube-system', 'Service', 'dashboard'],
    ...['', 'ClusterRole.rbac.authorization.k8s.io', 'kubewright:dashboard'],
  ]);
});

test('with all phases on nothing goes; a dry run lists and deletes nothing', async () => {
  expect(await run(answering(), 'apply', {})).toEqual([]);
  const changes = await run(answering(), 'check', { metrics: { enabled: false } });
  expect(changes).toEqual([
    { resource: 'object:Secret kube-system/metrics-server-tls', action: 'remove', detail: 'placed by metrics' },
  ]);
});

test('a list that broke off deletes nothing', async () => {
  const host = new FakeHost('cp-1')
    .on(/readyz/, 'ok')
    .on(/api-resources/, { code: 1, stdout: FOUND, stderr: 'refused' });
  await expect(run(host, 'apply', { dashboard: { enabled: false } })).rejects.toMatchObject({ code: 'STATE_UNKNOWN' });
});

test('a flavour that needs fewer objects leaves the others to be pruned', async () => {
  const refs = async (flavour: string) => {
    const context = await sampleContext(dashboard, { phases: { dashboard: { flavour } } });
    const owned = ownedBy(context.cluster, 'dashboard', await dashboard.resources!(context));
    return owned.flatMap((each) => (each as ManifestsResource).objects.map((object) => refName(refOf(object))));
  };
  const headlamp = await refs('headlamp');
  expect((await refs('kube-web-view')).filter((ref) => !headlamp.includes(ref))).toEqual([
    'ClusterRoleBinding.rbac.authorization.k8s.io kubewright:dashboard:view',
  ]);
});

test('every object of ours carries its owner', async () => {
  for (const phase of [...phases.values()].filter((each) => builds(each) && each.hosts === 'one-control-plane')) {
    const context = await sampleContext(phase, {});
    for (const resource of ownedBy(sampleCluster(), phase.name, (await phase.resources?.(context)) ?? [])) {
      for (const object of resource.kind === 'manifests' ? (resource as ManifestsResource).objects : []) {
        expect(object.metadata.labels).toMatchObject({
          'kubewright.dev/cluster': 'sample',
          'kubewright.dev/phase': phase.name,
        });
      }
    }
  }
});

test('a list is read by line; an object that is listed twice counts once', () => {
  expect(parseFound(`noise\n${FOUND}${FOUND}`)).toHaveLength(5);
});
