import { podNetwork } from '../../../activities/phases/capabilities/pod-network.ts';
import { resourceMetrics } from '../../../activities/phases/capabilities/resource-metrics.ts';
import { enabledProvidersOf } from '../../../activities/phases/capabilities.ts';
import { offerOf } from '../../../activities/phases/offers.ts';
import { kubeHosts } from '../../../contracts/cluster.ts';
import type { MatrixCheck } from './case.ts';
import { type MatrixKit, until } from './kit.ts';
import { policiesHold } from './policies.ts';
import { imagesPulled, NAMESPACE, type Probe, runProbe, startProbe, stopProbe } from './probe-pods.ts';

/** What every cluster must do, asked from outside with kubectl alone. They come in this order. */
export const STANDARD_CHECKS: readonly MatrixCheck[] = [
  { title: 'nodes are Ready', run: nodesReady },
  { title: 'pods, packets of the full size, service, DNS, node ports, registry', run: podsReachEachOther },
  { title: 'policies have an effect', run: policies },
  { title: 'kubectl top', run: top },
];

interface NodeItem {
  metadata: { name: string };
  status: { conditions?: { type: string; status: string; message?: string }[] };
}

/** Exactly the nodes of the spec are there, and all of them are Ready. */
async function nodesReady(kit: MatrixKit): Promise<void> {
  const expected = kubeHosts(kit.cluster)
    .map(({ name }) => name)
    .sort();
  await until('nodes', 120_000, async () => {
    const { items } = await kit.get<{ items: NodeItem[] }>('nodes');
    const names = items.map(({ metadata }) => metadata.name).sort();
    if (names.join() !== expected.join()) return `${names.join(', ')} instead of ${expected.join(', ')}`;
    const notReady = items.flatMap(({ metadata, status }) => {
      const ready = status.conditions?.find(({ type }) => type === 'Ready');
      return ready?.status === 'True' ? [] : [`${metadata.name}: ${ready?.message ?? 'no condition Ready'}`];
    });
    return notReady.length === 0 ? null : notReady.join('; ');
  });
}

/** From the pod of each node to the pods of all nodes, with packets as large as the MTU and "do not fragment". */
function podsReachEachOther(kit: MatrixKit): Promise<void> {
  return withProbe(kit, askEveryPod);
}

/** The pods of the probe are there while the work runs, and gone after it, also when it failed. */
async function withProbe(kit: MatrixKit, work: (kit: MatrixKit, probe: Probe) => Promise<void>): Promise<void> {
  try {
    await work(kit, await startProbe(kit));
  } finally {
    await stopProbe(kit);
  }
}

async function askEveryPod(kit: MatrixKit, { pods, service }: Probe): Promise<void> {
  await imagesPulled(kit, pods);
  const domain = kit.cluster.spec.network.clusterDomain;
  const nodes = kubeHosts(kit.cluster).map(({ address, internalAddress }) => internalAddress ?? address);
  const names = ['probe', `probe.${NAMESPACE}`, `probe.${NAMESPACE}.svc.${domain}`];
  const targets = JSON.stringify({
    pods: Object.fromEntries(pods.map(({ node, ip }) => [node, ip])),
    service: { names, ip: service.ip, nodes, nodePort: service.nodePort },
  });
  const problems = await Promise.all(
    pods.map(async ({ name, node }) => {
      const found = JSON.parse(await runProbe(kit, name, 'ask', targets)) as string[];
      return found.map((problem) => `from the pod on ${node}: ${problem}`);
    }),
  );
  if (problems.flat().length > 0) throw new Error(problems.flat().join('\n'));
}

async function policies(kit: MatrixKit): Promise<void> {
  const promised = offerOf(kit, podNetwork).enforcesPolicies;
  if (promised) await withProbe(kit, policiesHold);
}

/** Of a cluster with metrics: a line for each node and for pods of kube-system. */
async function top(kit: MatrixKit): Promise<void> {
  if (enabledProvidersOf(kit.cluster, resourceMetrics.name, kit.phases).length === 0) return;
  const nodes = kubeHosts(kit.cluster).map(({ name }) => name);
  await until('kubectl top', 150_000, async () => {
    const lines = (await kit.kubectl(['top', 'nodes', '--no-headers'])).trim().split('\n');
    const missing = nodes.filter((node) => !lines.some((line) => new RegExp(`^${node} +\\d+m .*\\d+Mi`).test(line)));
    if (missing.length > 0) return `no figures of ${missing.join(', ')}: ${lines.join('; ')}`;
    const pods = await kit.kubectl(['top', 'pods', '-n', 'kube-system', '--no-headers']);
    return /\d+m +\d+Mi/.test(pods) ? null : `no figures of pods: ${pods}`;
  });
}
