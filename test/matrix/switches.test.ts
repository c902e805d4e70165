import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change, OperationStatus } from '../../contracts/operation.ts';
import { type Bench, freshBench, ssh } from '../e2e/support.ts';
import { loadStandIn, removeStandIn } from './switches/stand-in-image.ts';
import { networkOf, objectsOf } from './switches/state.ts';

/**
 * One cluster whose choices are switched, one after the other: the dry run lists what goes, the build takes just that away,
 * and all objects of the cluster, and the rules and routes of its hosts, are as they were once the choice is switched back.
 */

const ADMIN = '/etc/kubewright/admin.kubeconfig';
const SYSCTL = 'net.core.somaxconn';

type Phases = Record<string, Record<string, unknown>>;
interface Draft {
  phases: Phases;
  worker: { labels?: Record<string, string>; taints?: object[] };
}

let bench: Bench;
let base: { spec: { phases: Phases; hosts: Record<string, unknown>[] } };
const controlPlane = () => bench.lab.hosts[0]!;
const worker = () => bench.lab.hosts[1]!;

function specOf(change: (draft: Draft) => void): object {
  const spec = structuredClone(base);
  const draft: Draft = { phases: spec.spec.phases, worker: spec.spec.hosts[1] as Draft['worker'] };
  draft.phases['prepare'] = { packages: ['tree'], sysctls: { [SYSCTL]: '5123' } };
  draft.worker.labels = { 'kubewright.test/tier': 'web', 'kubewright.test/stays': 'yes' };
  draft.worker.taints = [{ key: 'kubewright.test/old', value: 'a', effect: 'PreferNoSchedule' }];
  change(draft);
  return spec;
}
const nothing = () => undefined;

async function build(spec: object): Promise<{ status: OperationStatus; changes: Change[] }> {
  const { operation } = await bench.api.request<{ operation: string }>('POST', '/clusters', spec);
  const status = await bench.api.follow(bench.name, operation);
  expect(status.state, JSON.stringify(status.tasks.flatMap(({ error }) => error ?? []))).toBe('succeeded');
  return { status, changes: await changesOf(operation) };
}
async function changesOf(operation: string): Promise<Change[]> {
  const { changes } = await bench.api.request<{ changes: { changes: Change[] }[] }>(
    'GET',
    `/clusters/${bench.name}/operations/${operation}?changes=true`,
  );
  return changes.flatMap((task) => task.changes);
}
async function dryRunStatus(spec: object): Promise<OperationStatus> {
  const { operation } = await bench.api.request<{ operation: string }>('POST', '/clusters?dryRun=true', spec);
  const status = await bench.api.follow(bench.name, operation);
  expect(status.state).toBe('succeeded');
  return status;
}
const dryRun = async (spec: object): Promise<Change[]> => changesOf((await dryRunStatus(spec)).operationId);
/** `remove object:Service kube-system/dashboard`; without what a build writes of itself. */
const words = (changes: readonly Change[], pick = ({ action }: Change) => action === 'remove') =>
  [...new Set(changes.filter(pick).map(({ action, resource }) => `${action} ${resource}`))].sort();
/** The objects of before without those that these words say are removed. */
function without(objects: Record<string, unknown>, removed: readonly string[]): Record<string, unknown> {
  const gone = new Set(
    removed.flatMap((line) => {
      const [, kind, name] = /^remove object:(\w+)\S* (\S+)$/.exec(line) ?? [];
      return kind === undefined ? [] : [`${kind} ${name}`];
    }),
  );
  return Object.fromEntries(Object.entries(objects).filter(([name]) => !gone.has(name)));
}
const lines = async (script: string, host = controlPlane()) =>
  (await ssh(host, script)).split('\n').filter((line) => line.trim() !== '');

beforeAll(async () => {
  bench = await freshBench('kwsw', 2);
  base = structuredClone(bench.lab.spec) as never;
  await build(specOf(nothing));
});
afterAll(() => bench?.end());

/** The next build of the same spec has nothing to do, and asks nothing of what might be left. */
async function secondBuildChangesNothing(spec: object): Promise<void> {
  const { status, changes } = await build(spec);
  expect(changes).toEqual([]);
  expect(status.tasks.filter(({ phase }) => phase === 'cleanup' || phase === 'prune')).toEqual([]);
}

describe('what is switched off or over goes, and nothing else', () => {
  const dashboardOff = specOf.bind(null, ({ phases }) => {
    phases['dashboard'] = { ...phases['dashboard'], enabled: false };
  });

  it('a second build of the same spec has nothing to do', () => secondBuildChangesNothing(specOf(nothing)));

  it('dashboard off, and on again', async () => {
    const before = await objectsOf(controlPlane());
    const preview = words(await dryRun(dashboardOff()));
    expect(preview).toEqual(
      expect.arrayContaining([
        'remove object:ClusterRole.rbac.authorization.k8s.io kubewright:dashboard',
        'remove object:Deployment.apps kube-system/dashboard',
        'remove object:Service kube-system/dashboard',
        'remove object:ServiceAccount kube-system/dashboard',
      ]),
    );
    expect(await objectsOf(controlPlane())).toEqual(before);
    expect(words((await build(dashboardOff())).changes)).toEqual(preview);
    const left = await objectsOf(controlPlane());
    expect(left).toEqual(without(before, preview));
    expect(Object.keys(left).filter((name) => name.includes('dashboard'))).toEqual([]);
    expect((await lines(`kubectl --kubeconfig ${ADMIN} get pods -n kube-system -o name`)).join()).not.toContain(
      'dashboard',
    );
    await secondBuildChangesNothing(dashboardOff());
    await build(specOf(nothing));
    expect(await objectsOf(controlPlane())).toEqual(before);
  });

  it('the dashboard of another flavour, whose image cannot be pulled at first, and back', async () => {
    const before = await objectsOf(controlPlane());
    const headlamp = specOf(({ phases }) => {
      phases['dashboard'] = { ...phases['dashboard'], flavour: 'headlamp' };
    });
    const preview = words(await dryRun(headlamp));
    // What the other flavour's account was allowed.
    expect(preview).toEqual(['remove object:ClusterRoleBinding.rbac.authorization.k8s.io kubewright:dashboard:view']);
    expect(await objectsOf(controlPlane())).toEqual(before);

    // No mirror of a lab has this image: its pods cannot start, and the former one goes on serving.
    const { operation } = await bench.api.request<{ operation: string }>('POST', '/clusters', headlamp);
    const waiting = `kubectl --kubeconfig ${ADMIN} get pods -n kube-system -l app=dashboard -o jsonpath='{.items[*].status.containerStatuses[*].state.waiting.reason}'`;
    await expect.poll(() => ssh(controlPlane(), waiting), { timeout: 120_000, interval: 2_000 }).toMatch(/ImagePull/);
    await bench.api.request('POST', `/clusters/${bench.name}/cancel`, { operation });
    expect((await bench.api.follow(bench.name, operation)).state).toBe('cancelled');
    const { health } = await dryRunStatus(headlamp);
    expect(health).toMatchObject({ state: 'degraded' });
    expect(health?.reasons).toContainEqual(
      expect.objectContaining({
        code: 'WORKLOAD_UNAVAILABLE',
        subject: 'deployment kube-system/dashboard',
        evidence: expect.stringMatching(/pull.*headlamp|headlamp.*pull/is) as string,
      }),
    );

    await loadStandIn(bench.lab);
    const { status, changes } = await build(headlamp);
    expect(words(changes)).toEqual(preview);
    expect(status.health?.state ?? 'healthy').toBe('healthy');
    const switched = await objectsOf(controlPlane());
    expect(Object.keys(switched)).toEqual(Object.keys(without(before, preview)));
    const different = Object.keys(switched).filter(
      (name) => JSON.stringify(switched[name]) !== JSON.stringify(before[name]),
    );
    expect(different).toEqual([
      'ClusterRole kubewright:dashboard',
      'Deployment kube-system/dashboard',
      'Service kube-system/dashboard',
    ]);
    const page = await ssh(
      controlPlane(),
      `kubectl --kubeconfig ${ADMIN} get --raw /api/v1/namespaces/kube-system/services/dashboard:80/proxy/`,
    );
    expect(page.trim()).toBe('stand-in');
    await secondBuildChangesNothing(headlamp);

    await build(specOf(nothing));
    expect(await objectsOf(controlPlane())).toEqual(before);
    await removeStandIn(bench.lab);
    await secondBuildChangesNothing(specOf(nothing));
  });

  it('metrics off and on', async () => {
    const before = await objectsOf(controlPlane());
    const off = specOf(({ phases }) => {
      phases['metrics'] = { enabled: false };
    });
    const preview = words(await dryRun(off));
    expect(preview).toEqual(
      expect.arrayContaining([
        'remove object:APIService.apiregistration.k8s.io v1beta1.metrics.k8s.io',
        'remove object:Deployment.apps kube-system/metrics-server',
        'remove object:Secret kube-system/metrics-server-tls',
      ]),
    );
    const { status, changes } = await build(off);
    expect(words(changes)).toEqual(preview);
    expect(status.health?.state ?? 'healthy').toBe('healthy');
    expect(await objectsOf(controlPlane())).toEqual(without(before, preview));
    await secondBuildChangesNothing(off);
    await build(specOf(nothing));
    expect(await objectsOf(controlPlane())).toEqual(before);
    expect(await lines(`kubectl --kubeconfig ${ADMIN} top nodes --no-headers`)).toHaveLength(2);
  });

  it('a label, a taint, a package and a setting', async () => {
    const was = (
      await ssh(
        worker(),
        `sed -n 's/.*sysctls:${SYSCTL}\\t[^\\t]*\\t.*"was":"\\([0-9]*\\)".*/\\1/p' /var/lib/kubewright/ledger/placed`,
      )
    ).trim();
    const packages = async () => await lines("dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n' | sort", worker());
    const installed = await packages();
    expect(installed).toContain('ii  tree');
    const fewer = specOf(({ phases, worker: host }) => {
      phases['prepare'] = {};
      host.labels = { 'kubewright.test/stays': 'yes' };
      host.taints = [];
    });
    const preview = await dryRun(fewer);
    expect(words(preview)).toEqual(['remove node:worker-1', 'remove packages:tree']);
    expect(preview).toContainEqual(
      expect.objectContaining({
        action: 'remove',
        detail: 'kubewright.test/tier taint kubewright.test/old:PreferNoSchedule',
      }),
    );
    expect(preview).toContainEqual({ resource: `sysctls:${SYSCTL}`, action: 'update', detail: was });
    const { changes } = await build(fewer);
    expect(words(changes)).toEqual(words(preview));
    expect(await packages()).toEqual(installed.filter((line) => line !== 'ii  tree'));
    expect((await ssh(worker(), `cat /proc/sys/${SYSCTL.replaceAll('.', '/')}`)).trim()).toBe(was);
    const node = JSON.parse(await ssh(controlPlane(), `kubectl --kubeconfig ${ADMIN} get node worker-1 -o json`)) as {
      metadata: { labels: Record<string, string> };
      spec: { taints?: object[] };
    };
    expect(node.metadata.labels).not.toHaveProperty('kubewright.test/tier');
    expect(node.metadata.labels).toHaveProperty('kubewright.test/stays');
    expect(node.spec.taints ?? []).toEqual([]);
    await secondBuildChangesNothing(fewer);
    await build(specOf(nothing));
  });

  it('kube-proxy from nftables to iptables and back', async () => {
    const networks = () => Promise.all(bench.lab.hosts.map(networkOf));
    const [before, objects] = [await networks(), await objectsOf(controlPlane())];
    for (const [mode, has, hasNot] of [
      ['iptables', /nat KUBE-SERVICES/, / kube-proxy |KUBE-LOAD-BALANCER/],
      ['nftables', /^ip kube-proxy/m, /KUBE-(SERVICES?|NODEPORTS|POSTROUTING|MARK-MASQ|PROXY)/],
    ] as const) {
      const spec = specOf(({ phases }) => {
        const nodes = phases['nodes'] as { kubeProxy?: object };
        phases['nodes'] = { ...nodes, kubeProxy: { ...nodes.kubeProxy, mode } };
      });
      const preview = words(await dryRun(spec));
      expect(preview).toContain('remove residue:kube-proxy-modes');
      expect(words((await build(spec)).changes)).toEqual(preview);
      for (const host of bench.lab.hosts) {
        await expect.poll(async () => (await networkOf(host)).join('\n')).toMatch(has);
        expect((await networkOf(host)).join('\n'), `${host.name} in mode ${mode}`).not.toMatch(hasNot);
      }
      await secondBuildChangesNothing(spec);
    }
    await expect.poll(networks, { timeout: 30_000 }).toEqual(before);
    expect(await objectsOf(controlPlane())).toEqual(objects);
  });

  it('other networks are refused with the reason and the way', async () => {
    const spec = specOf(nothing) as { spec: Record<string, unknown> };
    spec.spec['network'] = { podCidr: '10.250.0.0/16' };
    await expect(bench.api.request('POST', '/clusters', spec)).rejects.toThrow(/SWITCH_REFUSED.*new cluster/s);
  });
});
