import { defineMatrixCase, type SpecDraft } from '../kit/case.ts';
import type { MatrixKit } from '../kit/kit.ts';

const within = (draft: SpecDraft, phase: string, part: string, options: Record<string, unknown>): void => {
  const own = draft.phases[phase] ?? {};
  draft.phases[phase] = { ...own, [part]: { ...(own[part] as object | undefined), ...options } };
};

/** What the kubelet of a node runs with. */
const configOf = async (kit: MatrixKit, node: string): Promise<Record<string, unknown>> => {
  const text = await kit.kubectl(['get', '--raw', `/api/v1/nodes/${node}/proxy/configz`]);
  return (JSON.parse(text) as { kubeletconfig: Record<string, unknown> }).kubeletconfig;
};

const nodePortService = (nodePort: number): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: `port-${nodePort}`, namespace: 'default' },
  spec: { type: 'NodePort', selector: { app: 'nothing' }, ports: [{ port: 80, nodePort }] },
});

export default defineMatrixCase({
  title:
    'Options of the guides: admission plugins, node ports, gates, audit rules, bind address, max pods, reservations, eviction, static pods, labels',
  hosts: { 'control-plane': 1, worker: 2 },
  spec: (draft) => {
    within(draft, 'master', 'apiServer', {
      admissionPlugins: { enable: ['PodNodeSelector', 'AlwaysPullImages'] },
      nodePortRange: '31000-31499',
      bindAddress: 'internal',
      featureGates: { WatchList: true },
      logLevel: 2,
    });
    within(draft, 'master', 'controllerManager', { bindAddress: '0.0.0.0' });
    within(draft, 'master', 'audit', {
      policy: {
        rules: [{ level: 'RequestResponse', verbs: ['create'], resources: [{ group: '', resources: ['services'] }] }],
      },
    });
    within(draft, 'nodes', 'kubelet', {
      maxPods: 60,
      kubeReserved: { cpu: '50m', memory: '100Mi' },
      systemReserved: { memory: '100Mi' },
      evictionSoft: { 'memory.available': { threshold: '60Mi', gracePeriod: '2m' } },
      staticPodPath: '/etc/kubernetes/manifests',
      featureGates: { KubeletPSI: true },
    });
    draft.hosts.at(-1)!.labels = { role: 'entry', 'node-role.kubernetes.io/entry': '' };
  },
  change: (draft) => within(draft, 'nodes', 'kubelet', { maxPods: 55 }),
  checks: [
    {
      title: 'kubelets run with the typed options',
      run: async (kit) => {
        const { maxPods: wanted } = kit.cluster.spec.phases['nodes']!['kubelet'] as { maxPods: number };
        for (const { name } of kit.cluster.spec.hosts) {
          const { maxPods, kubeReserved, staticPodPath, featureGates, evictionSoft } = await configOf(kit, name);
          const seen = JSON.stringify({ maxPods, kubeReserved, staticPodPath, featureGates, evictionSoft });
          for (const part of [`"maxPods":${wanted}`, '"memory":"100Mi"', 'kubernetes/manifests', 'KubeletPSI', '60Mi'])
            if (!seen.includes(part)) throw new Error(`${name} runs without ${part}: ${seen}`);
        }
      },
    },
    {
      title: 'node ports are of the range, and audit rules of the user come first',
      run: async (kit) => {
        await kit.apply([nodePortService(31_007)]);
        const refused = await kit.apply([nodePortService(30_007)]).then(
          () => null,
          (error: unknown) => String(error),
        );
        if (!refused?.includes('31000-31499')) throw new Error(`the port 30007 is not refused: ${refused}`);
        const { name } = kit.cluster.spec.hosts.find(({ roles }) => roles.includes('control-plane'))!;
        const log = await kit.onHost(name, 'grep -h \'"port-31007"\' /var/log/kubernetes/audit*.log | tail -n 50');
        await kit.kubectl(['delete', 'service', 'port-31007']);
        if (!/"level":"RequestResponse".*"nodePort":31007/.test(log))
          throw new Error(`no record with a body: ${log.slice(0, 500)}`);
      },
    },
    {
      title: 'admission plugins are on: every container is pulled',
      run: async (kit) => {
        const pod = {
          metadata: { name: 'pulled', namespace: 'default' },
          spec: { containers: [{ name: 'a', image: 'x/y:1' }] },
        };
        const dry = await kit.kubectl(
          ['create', '--dry-run=server', '-o', 'json', '-f', '-'],
          JSON.stringify({ apiVersion: 'v1', kind: 'Pod', ...pod }),
        );
        if (!dry.includes('"imagePullPolicy": "Always"'))
          throw new Error(`AlwaysPullImages is not on: ${dry.slice(0, 500)}`);
      },
    },
    {
      title: 'the API server listens on the address of its host alone, the controller manager on all',
      run: async (kit) => {
        const host = kit.cluster.spec.hosts.find(({ roles }) => roles.includes('control-plane'))!;
        const listens = await kit.onHost(host.name, "ss -Htln | awk '{ print $4 }'");
        if (!listens.includes(`${host.address}:6443`) || /(\*|0\.0\.0\.0|127\.0\.0\.1):6443/.test(listens))
          throw new Error(`ports: ${listens}`);
        if (!/(\*|0\.0\.0\.0):10257/.test(listens)) throw new Error(`ports: ${listens}`);
      },
    },
    {
      title: 'labels of the spec are on the node, and a foreign one stays',
      run: async (kit) => {
        const entry = kit.cluster.spec.hosts.find(({ labels }) => labels['role'] === 'entry');
        if (!entry) return;
        await kit.kubectl(['label', 'node', entry.name, 'example.com/foreign=yes', '--overwrite']);
        const node = await kit.get<{ metadata: { labels: Record<string, string> } }>('node', entry.name);
        const { role, 'node-role.kubernetes.io/entry': of } = node.metadata.labels;
        if (role !== 'entry' || of !== '') throw new Error(`labels: ${JSON.stringify(node.metadata.labels)}`);
      },
    },
  ],
});
