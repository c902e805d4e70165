import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DROP_CHAINS } from '../../../activities/kube/packet-filter.ts';
import { refusedSwitches } from '../../../activities/operations/switches.ts';
import calico from '../../../activities/phases/calico/phase.ts';
import { ROLLED } from '../../../activities/phases/calico/rolled.ts';
import { DROP_RULES } from '../../../activities/phases/calico/teardown-script.ts';
import { podNetwork } from '../../../activities/phases/capabilities/pod-network.ts';
import { choiceIssues } from '../../../activities/phases/capabilities.ts';
import { isEnabled, keptRunning } from '../../../activities/phases/desired.ts';
import { firewallNeeds } from '../../../activities/phases/firewall.ts';
import { guardedValues } from '../../../activities/phases/guard.ts';
import { offerOf } from '../../../activities/phases/offers.ts';
import { phaseOptions } from '../../../activities/phases/options.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { requirementsOfCluster } from '../../../activities/phases/requires.ts';
import { specIssuesOf } from '../../../activities/phases/spec-issues.ts';
import { undoByScript } from '../../../activities/resources/engine/undo.ts';
import type { FilledResource } from '../../../activities/resources/filled.ts';
import type { ManifestsResource } from '../../../activities/resources/manifests.ts';
import { requirementsOf, type Sample, sampleCluster, sampleContext } from '../../golden/golden.ts';
import { LocalHost, RUNS_HERE } from '../resources/support/local-host.ts';

const phases = await loadPhases();
const byName = new Map(phases.map((phase) => [phase.name, phase]));
const objectsPhase = byName.get('calico-objects')!;
const withCalico = (options: Record<string, unknown> = {}, more: Omit<Sample, 'phases'> = {}) =>
  sampleCluster({ ...more, phases: { calico: options } });
const nodes = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    name: `n-${index}`,
    address: `10.20.${1 + Math.floor(index / 200)}.${1 + (index % 200)}`,
    roles: index === 0 ? ['control-plane', 'etcd'] : ['worker'],
  }));

describe('the choice', () => {
  it('takes the place of flannel where the spec names it, and is refused beside a flannel that is named', () => {
    const named = withCalico();
    expect(isEnabled(named, byName.get('flannel')!)).toBe(false);
    expect(choiceIssues(named, phases)).toEqual([]);
    expect(choiceIssues(sampleCluster({ phases: { calico: {}, flannel: {} } }), phases)[0]?.message).toMatch(
      /calico and flannel|flannel and calico/,
    );
    for (const each of [calico, objectsPhase]) {
      expect(isEnabled(sampleCluster(), byName.get(each.name)!)).toBe(false);
      expect(isEnabled(withCalico({ enabled: false }), byName.get(each.name)!)).toBe(false);
      expect(isEnabled(named, byName.get(each.name)!)).toBe(true);
    }
  });

  it('enforces policies, and assigns the addresses itself', () => {
    expect(offerOf({ cluster: withCalico(), phases }, podNetwork)).toMatchObject({
      enforcesPolicies: true,
      needsPodCidr: false,
    });
  });

  it.each([
    ['mode', { mode: 'bgp' }, /it is vxlan, and packets between nodes.*would be lost.*new cluster/],
    ['blockSize', { blockSize: 24 }, /it is 26, and the addresses of running pods/],
  ])('keeps its %s while pods run', (option, changed, message) => {
    expect(refusedSwitches(withCalico(), withCalico(changed), phases)).toEqual([
      { path: `spec.phases.calico.${option}`, message: expect.stringMatching(message) },
    ]);
    expect(refusedSwitches(withCalico({ natOutgoing: false }), withCalico(), phases)).toEqual([]);
  });

  it('takes the place of a running flannel in no cluster', () => {
    const [issue] = refusedSwitches(sampleCluster(), withCalico(), phases);
    expect(issue).toEqual({ path: 'spec.phases.flannel', message: expect.stringMatching(/switched to calico/) });
  });
});

describe('options that do not go together', () => {
  const issuesOf = (options: Record<string, unknown>, more: Omit<Sample, 'phases'> = {}) =>
    specIssuesOf(withCalico(options, more), phases).filter(({ path }) => path.startsWith('spec.phases.calico'));

  it('a range with fewer blocks than nodes', () => {
    const network = { podCidr: '10.244.0.0/22' };
    expect(issuesOf({ blockSize: 23 }, { network })).toEqual([
      { path: 'spec.phases.calico.blockSize', message: expect.stringMatching(/has 2 such blocks, and 3 nodes/) },
    ]);
    expect(issuesOf({ blockSize: 24 }, { network })).toEqual([]);
    expect(issuesOf({ blockSize: 20 }, { network })[0]?.message).toMatch(/is smaller than one such block/);
  });

  it('BGP in mode vxlan, and nodes that learn no routes', () => {
    const peers = [{ address: '10.20.0.1', asNumber: 65_000 }];
    expect(issuesOf({ bgp: { peers } })[0]).toMatchObject({ path: 'spec.phases.calico.bgp.peers' });
    expect(issuesOf({ bgp: { nodeMesh: false } })[0]).toMatchObject({ path: 'spec.phases.calico.bgp.nodeMesh' });
    expect(issuesOf({ mode: 'bgp', bgp: { nodeMesh: false } })[0]?.message).toMatch(/no node learns the routes/);
    expect(issuesOf({ mode: 'bgp', bgp: { nodeMesh: false, peers } })).toEqual([]);
  });

  it('peers that are named twice, and of hosts that are no nodes', () => {
    const peer = { address: '10.20.0.1', asNumber: 65_000 };
    const bgp = { peers: [peer, { ...peer, nodes: ['worker-1', 'worker-9'] }] };
    expect(issuesOf({ mode: 'bgp', bgp })).toEqual([
      { path: 'spec.phases.calico.bgp.peers[1].address', message: '10.20.0.1 is named twice' },
      {
        path: 'spec.phases.calico.bgp.peers[1].nodes[1]',
        message: 'worker-9 is no host of the cluster that runs pods',
      },
    ]);
  });

  it('more Typhas than nodes', () => {
    expect(issuesOf({ typha: { replicas: 4 } })).toEqual([
      { path: 'spec.phases.calico.typha.replicas', message: expect.stringMatching(/4 are more than the 3 nodes/) },
    ]);
  });
});

it('options that let routes in, or say what pods reach on their node, are guarded', () => {
  const options = { bgp: { peers: [1] }, felix: { defaultEndpointToHostAction: 'Drop', logSeverity: 'Info' } };
  expect([...guardedValues(calico.guarded ?? [], options).keys()]).toEqual([
    'bgp.peers',
    'felix.defaultEndpointToHostAction',
  ]);
});

describe('Typha', () => {
  const replicasOf = async (count: number, options: Record<string, unknown> = {}): Promise<number> => {
    const context = await sampleContext(objectsPhase, {
      ...{ hosts: nodes(count), phases: { calico: options } },
      network: { podCidr: '10.64.0.0/12' },
    });
    const all = ((await objectsPhase.resources?.(context)) ?? []).find(({ kind }) => kind === 'manifests');
    const found = (all as ManifestsResource).objects.find(
      ({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'calico-typha',
    ) as { spec?: { replicas: number } } | undefined;
    return found?.spec?.replicas ?? 0;
  };

  it.each([
    [50, 0],
    [51, 3],
    [450, 3],
    [451, 4],
    [999, 7],
  ])('of %i nodes: %i', async (count, replicas) => {
    expect(await replicasOf(count)).toBe(replicas);
  });

  it('is the number of the spec where it has one', async () => {
    expect(await replicasOf(3, { typha: { replicas: 2 } })).toBe(2);
    expect(await replicasOf(60, { typha: { replicas: 0 } })).toBe(0);
  });

  it('has its image, its port and its place in the health of the cluster only where it runs', () => {
    const without = withCalico({}, { hosts: nodes(3) });
    const having = withCalico({ typha: { replicas: 1 } }, { hosts: nodes(3) });
    const imagesOf = (cluster: typeof without) =>
      requirementsOfCluster(cluster, phases).flatMap(({ images = [] }) => images.map(({ name }) => name));
    expect(imagesOf(without)).toEqual(expect.arrayContaining(['calico-node', 'calico-cni', 'calico-kube-controllers']));
    expect(imagesOf(without)).not.toContain('calico-typha');
    expect(imagesOf(having)).toContain('calico-typha');
    expect(keptRunning(without, byName.get('calico')!).objects).toEqual([
      'DaemonSet/calico-node',
      'Deployment/calico-kube-controllers',
    ]);
    expect(keptRunning(having, byName.get('calico')!).objects).toContain('Deployment/calico-typha');
  });
});

describe('what nodes let in', () => {
  const openingsOf = (options: Record<string, unknown>) => {
    const cluster = withCalico(options);
    const host = cluster.spec.hosts[0]!;
    const clients = { apiFrom: [], nodePortsFrom: [] };
    const { openings, passages } = firewallNeeds(cluster, host, requirementsOf(cluster, host), clients);
    const own = openings.filter(({ what }) => what.startsWith('Calico'));
    return { own: own.map(({ protocol, port, sources }) => `${protocol} ${port} ${sources.length}`), passages };
  };

  it('is what the mode needs, from the other nodes', () => {
    expect(openingsOf({}).own).toEqual(['udp 4789 2']);
    expect(openingsOf({ mode: 'bgp' }).own).toEqual(['tcp 179 2']);
    expect(openingsOf({ mode: 'ipip', typha: { replicas: 1 } }).own).toEqual([
      'tcp 179 2',
      'tcp 5473 2',
      'ipencap null 2',
    ]);
    expect(openingsOf({ mode: 'bgp' }).passages.length).toBeGreaterThan(openingsOf({}).passages.length);
  });

  it('needs of the kernel what the mode has, by names that messages have', () => {
    const featuresOf = (options: Record<string, unknown>) => {
      const cluster = withCalico(options);
      const all = requirementsOf(cluster, cluster.spec.hosts[0]!).filter(({ phase }) => phase === 'calico');
      return all.flatMap(({ features = [] }) => features.map(({ name }) => name));
    };
    expect(featuresOf({})).toEqual(['ip_set', 'xt_set', 'xt_multiport', 'vxlan']);
    expect(featuresOf({ mode: 'bgp' })).toEqual(['ip_set', 'xt_set', 'xt_multiport']);
    expect(featuresOf({ mode: 'ipip' })).toContain('ipip');
  });

  it('is a layer 2 network that the nodes share, where routers learn no routes', () => {
    const linkOf = (options: Record<string, unknown>) => {
      const cluster = withCalico(options);
      return requirementsOf(cluster, cluster.spec.hosts[0]!).some(({ sharesLink }) => sharesLink !== undefined);
    };
    expect(linkOf({ mode: 'bgp' })).toBe(true);
    expect(linkOf({ mode: 'bgp', bgp: { peers: [{ address: '10.20.0.1', asNumber: 1 }] } })).toBe(false);
    expect(linkOf({})).toBe(false);
  });
});

it('what its pods fill is noted before any pod runs, on clusters that have it alone', async () => {
  const prepare = byName.get('prepare')!;
  const filledOf = async (sample: Sample) =>
    ((await prepare.resources?.(await sampleContext(prepare, sample))) ?? []).filter(({ kind }) => kind === 'filled');
  const [resource] = (await filledOf({ phases: { calico: {} } })) as FilledResource[];
  expect(resource?.paths).toEqual(expect.arrayContaining(['/opt/cni/bin/calico', '/var/lib/calico', '/run/calico']));
  expect(await filledOf({})).toEqual([]);
});

it.each([
  { mode: 'vxlan6' },
  { blockSize: 19 },
  { blockSize: 33 },
  { nodeSelector: { 'a b': 'x' } },
  { nodeSelector: 'all' },
  { bgp: { asNumber: 0 } },
  { bgp: { asNumber: 4_294_967_296 } },
  { bgp: { peers: [{ address: 'router', asNumber: 1 }] } },
  { felix: { refreshSeconds: 9 } },
  { typha: { replicas: 21 } },
])('refuses %o', (options) => {
  expect(() => phaseOptions(withCalico(options), calico)).toThrow(/invalid/);
});

describe.skipIf(!RUNS_HERE)('a changed DaemonSet', () => {
  let host: LocalHost;
  beforeEach(() => {
    host = new LocalHost();
  });
  afterEach(() => host.dispose());

  /** What kubectl says: generations of the DaemonSet, nodes with Ready, pods with node, revision and Ready. */
  const rolled = (generations: string, nodesReady: readonly string[], pods: readonly string[]) => {
    host.program(
      'kubectl',
      `case "$*" in
        *observedGeneration*) echo '${generations}' ;;
        *controllerrevisions*) echo new ;;
        *'get nodes'*) printf '%s\\n' ${nodesReady.map((line) => `'${line}'`).join(' ')} ;;
        *'get pods -l'*jsonpath*) ${pods.length > 0 ? `printf '%s\\n' ${pods.map((line) => `'${line}'`).join(' ')}` : ':'} ;;
      esac`,
    );
    return host.script(ROLLED, ['calico-node', 'k8s-app=calico-node', '1'], { okCodes: 'any' });
  };

  it('is on every node that is Ready', async () => {
    const pods = ['a new True', 'b new True', 'c old False'];
    expect(await rolled('2 2', ['a True', 'b True', 'c Unknown'], pods)).toMatchObject({ code: 0 });
  });

  it.each([
    ['a pod of the earlier revision', '2 2', ['a new True', 'b old True'], /without a renewed pod: b/],
    ['a pod that is not ready', '2 2', ['a new False', 'b new True'], /without a renewed pod: a/],
    ['no pod', '2 2', [], /without a renewed pod: a b/],
    ['a controller that has not seen the change', '3 2', ['a new True', 'b new True'], /has not seen the change/],
  ])('is not on all with %s', async (_what, generations, pods, message) => {
    const { code, stdout } = await rolled(generations, ['a True', 'b True'], pods);
    expect(code).toBe(1);
    expect(stdout).toMatch(message);
  });
});

const SAVED = `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:cali-FORWARD - [0:0]
:cali-fw-cali0123456789a - [0:0]
-A INPUT -p tcp -m comment --comment "about cali:" -j ACCEPT
-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD
-A FORWARD -m comment --comment "cali:S93hcgKJrXEqnTfs" -m comment --comment "Policy explicitly accepted packet." -m mark --mark 0x10000/0x10000 -j ACCEPT
-A FORWARD -s 10.0.0.0/8 -j ACCEPT
-A cali-FORWARD -m comment --comment "cali:vjrMJCRpqwy5oRoX" -j MARK --set-xmark 0x0/0xe0000
COMMIT
`;

describe.skipIf(!RUNS_HERE)('rules of Felix', () => {
  let host: LocalHost;
  beforeEach(() => {
    host = new LocalHost();
    for (const family of ['iptables', 'ip6tables']) {
      host.program(`${family}-save`, family === 'iptables' ? `cat <<'RULES'\n${SAVED}RULES` : ':');
      host.program(`${family}-restore`, `cat >>"$LOG"`);
    }
  });
  afterEach(() => host.dispose());

  it('go with its chains, those in chains of others too, each once', async () => {
    const path = host.path('log');
    await undoByScript(host, `${DROP_CHAINS}\n${DROP_RULES}`);
    expect(existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []).toEqual([
      '*filter',
      ':cali-FORWARD - [0:0]',
      ':cali-fw-cali0123456789a - [0:0]',
      '-D FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD',
      '-D FORWARD -m comment --comment "cali:S93hcgKJrXEqnTfs" -m comment --comment "Policy explicitly accepted packet." -m mark --mark 0x10000/0x10000 -j ACCEPT',
      '-X cali-FORWARD',
      '-X cali-fw-cali0123456789a',
      'COMMIT',
    ]);
  });
});
