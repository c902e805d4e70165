import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change, OperationStatus } from '../../contracts/operation.ts';
import { type Bench, freshBench, ssh } from '../e2e/support.ts';

/**
 * One cluster whose choices are switched, one after the other: the dry run lists what goes, the build takes just that away,
 * and objects and rules are as they were once the choice is switched back.
 */

const ADMIN = '/etc/kubewright/admin.kubeconfig';
/** Our objects, by kind and name; of what controllers add, nothing. */
const OURS = `for kind in deployments services serviceaccounts configmaps secrets poddisruptionbudgets roles rolebindings clusterroles clusterrolebindings apiservices; do
  kubectl --kubeconfig ${ADMIN} get "$kind" -A -o name -l kubewright.dev/cluster --ignore-not-found
done | sort`;
/** All objects of kube-system and of no namespace that people would see, but for those that come and go by themselves. */
const ALL = `kubectl --kubeconfig ${ADMIN} get deployments,services,serviceaccounts,configmaps,secrets,poddisruptionbudgets,roles,rolebindings -n kube-system -o name | sort
kubectl --kubeconfig ${ADMIN} get clusterroles,clusterrolebindings,apiservices -o name | sort`;
/** Tables and chains of the packet filter, but for those of single services and endpoints, which follow the pods' addresses. */
// The kubelet makes KUBE-FIREWALL, and the chains that lead to it, some time after its start.
const RULES = `nft -s list ruleset | awk '
  /^table/ { table = $2 " " $3; print table }
  /chain/ { name = $2; if (sub(/^KUBE-(SVC|SVL|SEP|EXT|FW)-.*/, "KUBE-SERVICE", name) || name !~ /-.*\\//) print table, name }' | grep -Ev ' filter (INPUT|FORWARD|OUTPUT|KUBE-FIREWALL)$' | sort -u`;
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
async function dryRun(spec: object): Promise<Change[]> {
  const { operation } = await bench.api.request<{ operation: string }>('POST', '/clusters?dryRun=true', spec);
  const status = await bench.api.follow(bench.name, operation);
  expect(status.state).toBe('succeeded');
  return await changesOf(operation);
}
/** `remove object:Service kube-system/dashboard`; without what a build writes of itself. */
const words = (changes: readonly Change[], pick = ({ action }: Change) => action === 'remove') =>
  [...new Set(changes.filter(pick).map(({ action, resource }) => `${action} ${resource}`))].sort();
const lines = async (script: string, host = controlPlane()) =>
  (await ssh(host, script)).split('\n').filter((line) => line.trim() !== '');

beforeAll(async () => {
  bench = await freshBench('kwsw', 2);
  base = structuredClone(bench.lab.spec) as never;
  await build(specOf(nothing));
});
afterAll(() => bench?.end());

/** The next build of the same spec has nothing to do, and asks nothing of what might be left. */
async function isSettled(spec: object): Promise<void> {
  const { status, changes } = await build(spec);
  expect(changes).toEqual([]);
  expect(status.tasks.filter(({ phase }) => phase === 'cleanup' || phase === 'prune')).toEqual([]);
}

describe('what is switched off or over goes, and nothing else', () => {
  const dashboardOff = specOf.bind(null, ({ phases }) => {
    phases['dashboard'] = { ...phases['dashboard'], enabled: false };
  });

  it('a second build of the same spec has nothing to do', () => isSettled(specOf(nothing)));

  it('dashboard off, and on again', async () => {
    const before = await lines(ALL);
    const foretold = words(await dryRun(dashboardOff()));
    expect(foretold).toEqual(
      expect.arrayContaining([
        'remove object:ClusterRole.rbac.authorization.k8s.io kubewright:dashboard',
        'remove object:Deployment.apps kube-system/dashboard',
        'remove object:Service kube-system/dashboard',
        'remove object:ServiceAccount kube-system/dashboard',
      ]),
    );
    expect(await lines(ALL)).toEqual(before);
    expect(words((await build(dashboardOff())).changes)).toEqual(foretold);
    const left = await lines(ALL);
    expect(left.filter((line) => line.includes('dashboard'))).toEqual([]);
    expect(before.filter((line) => !left.includes(line)).every((line) => line.includes('dashboard'))).toBe(true);
    expect((await lines(`kubectl --kubeconfig ${ADMIN} get pods -n kube-system -o name`)).join()).not.toContain(
      'dashboard',
    );
    await isSettled(dashboardOff());
    await build(specOf(nothing));
    expect(await lines(ALL)).toEqual(before);
  });

  it('metrics off and on', async () => {
    const before = await lines(OURS);
    const off = specOf(({ phases }) => {
      phases['metrics'] = { enabled: false };
    });
    const foretold = words(await dryRun(off));
    expect(foretold).toEqual(
      expect.arrayContaining([
        'remove object:APIService.apiregistration.k8s.io v1beta1.metrics.k8s.io',
        'remove object:Deployment.apps kube-system/metrics-server',
        'remove object:Secret kube-system/metrics-server-tls',
      ]),
    );
    const { status, changes } = await build(off);
    expect(words(changes)).toEqual(foretold);
    expect(status.health?.state ?? 'healthy').toBe('healthy');
    expect((await lines(ALL)).filter((line) => line.includes('metrics-server'))).toEqual([]);
    await isSettled(off);
    await build(specOf(nothing));
    expect(await lines(OURS)).toEqual(before);
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
    const foretold = await dryRun(fewer);
    expect(words(foretold)).toEqual(['remove node:worker-1', 'remove packages:tree']);
    expect(foretold).toContainEqual(
      expect.objectContaining({
        action: 'remove',
        detail: 'kubewright.test/tier taint kubewright.test/old:PreferNoSchedule',
      }),
    );
    expect(foretold).toContainEqual({ resource: `sysctls:${SYSCTL}`, action: 'update', detail: was });
    const { changes } = await build(fewer);
    expect(words(changes)).toEqual(words(foretold));
    expect(await packages()).toEqual(installed.filter((line) => line !== 'ii  tree'));
    expect((await ssh(worker(), `cat /proc/sys/${SYSCTL.replaceAll('.', '/')}`)).trim()).toBe(was);
    const node = JSON.parse(await ssh(controlPlane(), `kubectl --kubeconfig ${ADMIN} get node worker-1 -o json`)) as {
      metadata: { labels: Record<string, string> };
      spec: { taints?: object[] };
    };
    expect(node.metadata.labels).not.toHaveProperty('kubewright.test/tier');
    expect(node.metadata.labels).toHaveProperty('kubewright.test/stays');
    expect(node.spec.taints ?? []).toEqual([]);
    await isSettled(fewer);
    await build(specOf(nothing));
  });

  it('kube-proxy from nftables to iptables and back', async () => {
    const before = await Promise.all(bench.lab.hosts.map((host) => lines(RULES, host)));
    for (const [mode, has, hasNot] of [
      ['iptables', /nat KUBE-SERVICES/, /kube-proxy|KUBE-LOAD-BALANCER/],
      ['nftables', /^ip kube-proxy/m, /KUBE-(SERVICES?|NODEPORTS|POSTROUTING|MARK-MASQ|PROXY)/],
    ] as const) {
      const spec = specOf(({ phases }) => {
        const nodes = phases['nodes'] as { kubeProxy?: object };
        phases['nodes'] = { ...nodes, kubeProxy: { ...nodes.kubeProxy, mode } };
      });
      const foretold = words(await dryRun(spec));
      expect(foretold).toContain('remove residue:kube-proxy-modes');
      expect(words((await build(spec)).changes)).toEqual(foretold);
      for (const host of bench.lab.hosts) {
        await expect.poll(async () => (await lines(RULES, host)).join('\n')).toMatch(has);
        expect((await lines(RULES, host)).join('\n'), `${host.name} in mode ${mode}`).not.toMatch(hasNot);
      }
      await isSettled(spec);
    }
    const after = await Promise.all(bench.lab.hosts.map((host) => lines(RULES, host)));
    expect(after).toEqual(before);
  });

  it('other networks are refused with the reason and the way', async () => {
    const spec = specOf(nothing) as { spec: Record<string, unknown> };
    spec.spec['network'] = { podCidr: '10.250.0.0/16' };
    await expect(bench.api.request('POST', '/clusters', spec)).rejects.toThrow(/SWITCH_REFUSED.*new cluster/s);
  });
});
