import { execFileSync } from 'node:child_process';
import { describe, expect, it, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { caCertHash } from '../../../activities/kube/kubeadm.ts';
import { refusedSwitches } from '../../../activities/operations/switches.ts';
import { controlPlane } from '../../../activities/phases/capabilities/control-plane.ts';
import controlPlaneKind, {
  type ControlPlaneResource,
  namesProblem,
} from '../../../activities/phases/kubeadm/control-plane-resource.ts';
import kubeadm from '../../../activities/phases/kubeadm/phase.ts';
import kubelet from '../../../activities/phases/kubeadm-kubelet/phase.ts';
import nodes from '../../../activities/phases/kubeadm-nodes/phase.ts';
import workerKind, { kubeadmWorker } from '../../../activities/phases/kubeadm-nodes/worker-resource.ts';
import { offerOf } from '../../../activities/phases/offers.ts';
import type { Phase } from '../../../activities/phases/phase.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { issueCa } from '../../../activities/pki/certificates.ts';
import { kindOf } from '../../../activities/resources/engine/resource-kinds.ts';
import type { FileResource } from '../../../activities/resources/file.ts';
import type { LedgerEntry } from '../../../activities/resources/ledger.ts';
import { type ApplyContext, type DiffContext, plainText } from '../../../activities/resources/resource.ts';
import type { OperationInput } from '../../../contracts/operation.ts';
import { type Sample, sampleCluster, sampleContext } from '../../golden/golden.ts';
import { makePlan } from '../../support/plans.ts';

const phases = await loadPhases();
const engine = { engine: 'kubeadm' as const };
const stacked = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd', 'registry'] },
  { name: 'cp-2', address: '10.20.0.12', roles: ['control-plane', 'etcd'] },
  { name: 'cp-3', address: '10.20.0.13', roles: ['control-plane', 'etcd'] },
  { name: 'worker-1', address: '10.20.0.14', roles: ['worker'] },
];
const apart = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'worker'] },
  { name: 'etcd-1', address: '10.20.0.12', roles: ['etcd'] },
];
const input: OperationInput = {
  ...{ kind: 'build', specRef: 'a'.repeat(64), mode: 'apply', requestId: 'request', cluster: 'sample' },
  ...{ actor: { name: 'admin', role: 'admin' }, operationId: 'operation' },
};
const diffContext = {} as DiffContext;

async function stateOf(sample: Sample, host = 'cp-1') {
  const resources = (await kubeadm.resources!(
    await sampleContext(kubeadm, { ...sample, host }),
  )) as readonly FileResource[];
  const text = (end: string) => plainText(resources.find(({ id }) => id.endsWith(end))!.content);
  const digest = (name: string) =>
    (parse(text(`/${name}+strategic.yaml`)) as { metadata: { annotations: Record<string, string> } }).metadata
      .annotations['kubewright.dev/config']!;
  const pods = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'];
  const resource = resources.find(
    ({ kind }) => (kind as string) === 'kubeadm-control-plane',
  ) as unknown as ControlPlaneResource;
  const config = parseAllDocuments(text('/kubeadm.yaml')).map((each) => each.toJS() as Record<string, never>);
  return { pods: Object.fromEntries(pods.map((name) => [name, digest(name)])), resource, config };
}

describe('the plan of engine kubeadm', () => {
  const planned = (sample: Sample) => makePlan(input, sampleCluster({ engine, ...sample }), phases).phases;
  const names = (sample: Sample) => planned(sample).map(({ name }) => name);

  it('has its own control planes and nodes, and all other phases', () => {
    const binaries = makePlan(input, sampleCluster({ hosts: stacked }), phases).phases.map(({ name }) => name);
    const own = ['kubeadm', 'kubeadm-kubelet', 'kubeadm-nodes', 'stacked-etcd'];
    expect(
      names({ hosts: stacked })
        .filter((name) => own.includes(name))
        .sort(),
    ).toEqual(own);
    expect(
      names({ hosts: stacked })
        .filter((name) => !own.includes(name))
        .sort(),
    ).toEqual(binaries.filter((name) => !['etcd', 'master', 'nodes'].includes(name)).sort());
  });

  it('has etcd as static pods where just the control planes have the role, otherwise where the role is', () => {
    expect(names({ hosts: apart })).toContain('etcd');
    expect(names({ hosts: apart })).not.toContain('stacked-etcd');
    const external = { engine: { ...engine, etcd: 'external' as const }, hosts: stacked };
    expect(names(external)).toContain('etcd');
    expect(names(external)).not.toContain('stacked-etcd');
  });

  it('control planes join one after the other, workers side by side', () => {
    const found = planned({ hosts: [...stacked, { name: 'worker-2', address: '10.20.0.15', roles: ['worker'] }] });
    const parallel = (name: string) => found.find((phase) => phase.name === name)!.maxParallel;
    expect(parallel('kubeadm')).toBe(1);
    expect(parallel('kubeadm-nodes')).toBe(5);
  });

  it('the window of nodes waits for no phase that waits for the runtime of its own host', () => {
    const cluster = sampleCluster({ engine, hosts: stacked });
    const served = stacked.map(({ name }) => name);
    const { windows = [] } = makePlan(input, cluster, phases, { served, before: cluster });
    const nodes = windows.find(({ what }) => what === 'node')!;
    expect(nodes.phases).toEqual(expect.arrayContaining(['runtime', 'kubeadm-kubelet', 'kubeadm-nodes']));
    expect(nodes.after?.map(({ phase }) => phase) ?? []).not.toContain('kubeadm');
    const before = sampleCluster({ hosts: stacked });
    const binaries = makePlan(input, before, phases, { served, before }).windows!.find(({ what }) => what === 'node')!;
    expect(binaries.after!.map(({ phase }) => phase)).toContain('master');
  });
});

test('a running cluster keeps its engine and the place of its etcd', () => {
  const before = sampleCluster({ hosts: stacked });
  expect(refusedSwitches(before, sampleCluster({ hosts: stacked, engine }), phases)).toEqual(
    expect.arrayContaining([
      {
        path: 'spec.controlPlane.engine',
        message: expect.stringMatching(/switched to kubeadm.*master is its control-plane/),
      },
    ]),
  );
  const external = sampleCluster({ hosts: stacked, engine: { ...engine, etcd: 'external' } });
  expect(refusedSwitches(sampleCluster({ hosts: stacked, engine }), external, phases)).toEqual([
    { path: expect.any(String), message: expect.stringMatching(/stacked-etcd is its kubernetes-store/) },
  ]);
});

describe('the configuration of a control plane', () => {
  it('changes the pod whose options changed, and no other', async () => {
    const before = await stateOf({ engine, hosts: stacked });
    const same = await stateOf({ engine, hosts: stacked });
    expect(same.pods).toEqual(before.pods);
    expect(same.resource.config).toBe(before.resource.config);
    for (const [option, pod] of [
      [{ master: { apiServer: { logLevel: 4 } } }, 'kube-apiserver'],
      [{ master: { podSecurity: 'restricted' } }, 'kube-apiserver'],
      [{ master: { scheduler: { logLevel: 4 } } }, 'kube-scheduler'],
      [{ master: { controllerManager: { logLevel: 4 } } }, 'kube-controller-manager'],
    ] as const) {
      const after = await stateOf({ engine, hosts: stacked, phases: option });
      const changed = Object.keys(before.pods).filter((name) => after.pods[name] !== before.pods[name]);
      expect(changed).toEqual([pod]);
      expect(after.resource.config).not.toBe(before.resource.config);
      expect(after.resource.etcd).toBe(before.resource.etcd);
    }
  });

  it('lists a flag once, and the last word is that of the spec', async () => {
    const extraArgs = { 'etcd-servers': 'https://other:2379', profiling: 'true' };
    const { config } = await stateOf({ engine, hosts: stacked, phases: { master: { apiServer: { extraArgs } } } });
    const cluster = config.find(({ kind }) => kind === 'ClusterConfiguration') as unknown as {
      apiServer: { extraArgs: { name: string; value: string }[] };
    };
    const args = cluster.apiServer.extraArgs;
    expect(new Set(args.map(({ name }) => name)).size).toBe(args.length);
    expect(args).toEqual(
      expect.arrayContaining([
        { name: 'etcd-servers', value: 'https://other:2379' },
        { name: 'profiling', value: 'true' },
      ]),
    );
    const names = args.map(({ name }) => name);
    expect(names).toContain('authentication-config');
    for (const own of ['anonymous-auth', 'tls-cert-file', 'client-ca-file', 'secure-port'])
      expect(names).not.toContain(own);
  });
});

test('what a unit is restarted for is a resource of the same phase', async () => {
  for (const phase of phases.filter(({ name }) => /^(kubeadm|stacked)/.test(name))) {
    for (const host of ['cp-1', 'worker-1']) {
      const resources = (await phase.resources?.(await sampleContext(phase, { engine, hosts: stacked, host }))) ?? [];
      const found = new Set(resources.flatMap((each) => kindOf(each).provides?.(each) ?? [each.id]));
      const named = resources.flatMap((each) => kindOf(each).restartsOn?.(each).references ?? []);
      expect(
        named.filter((reference) => !found.has(reference)),
        `${phase.name} on ${host}`,
      ).toEqual([]);
    }
  }
});

describe('what a host says of itself', () => {
  const digests = ['a'.repeat(64), 'b'.repeat(64)];
  const recorded = (manifests: string) =>
    `recorded\nconfig ${digests[0]}\netcd ${digests[1]}\nmanifests ${manifests}\nend\n`;
  const resource = (config: string, names: string[] = []) =>
    ({ kind: 'kubeadm-control-plane', id: 'cp-1', config, etcd: digests[1], names }) as unknown as ControlPlaneResource;
  const differs = (output: string, of: ControlPlaneResource) =>
    controlPlaneKind
      .diff(of, controlPlaneKind.parse(output, of), diffContext)
      .map(({ action, detail }) => `${action} ${detail}`);

  it('is a control plane as it was made', () => {
    expect(differs(recorded('same'), resource(digests[0]!))).toEqual([]);
  });
  it('has another configuration, or manifests that were changed by hand', () => {
    expect(differs(recorded('same'), resource('c'.repeat(64)))).toEqual(['update its configuration']);
    expect(differs(recorded('changed'), resource(digests[0]!))).toEqual([
      'update files in /etc/kubernetes/manifests were changed',
    ]);
  });
  it('is none, or was interrupted on its way', () => {
    expect(differs('new\nend\n', resource(digests[0]!))).toEqual(['create becomes a control plane']);
    expect(differs('new\ntrace /etc/kubernetes/kubelet.conf\nend\n', resource(digests[0]!))).toEqual([
      'create becomes a control plane: an attempt was interrupted',
    ]);
  });
  it('leaves what its pods fill in the ledger, so that a teardown takes it away', async () => {
    const { resource: own } = await stateOf({ engine, hosts: stacked, phases: { etcd: { dataDir: '/data/etcd' } } });
    const [entry] = controlPlaneKind.ledgerEntries!(own, null);
    expect(entry?.fills).toEqual(['/var/log/kubernetes', '/data/etcd', '/data/etcd/member']);
    const filled = { kind: 'leftover', id: '/data/etcd/member', phase: 'kubeadm', prior: {} };
    expect(controlPlaneKind.owns!(own, filled as unknown as LedgerEntry)).toBe(true);
  });
  it('an answer that ends early is not taken for "nothing is there"', () => {
    expect(() => controlPlaneKind.parse('new\n', resource(digests[0]!))).toThrow(/state of the control plane/);
  });
  it('names that the certificate lacks, and those that it should not have', () => {
    expect(namesProblem(['a', 'b'], ['b', 'a'])).toBeNull();
    expect(namesProblem(['a', 'c'], ['a', 'b'])).toBe('certificate of the API server: with c; without b');
  });
  it('names that are no longer needed change files of the certificate alone, so that they go in the same build', async () => {
    const named = (certificateNames: string[]): Sample => ({
      ...{ engine, hosts: stacked, phases: { master: { certificateNames } } },
    });
    const [before, after] = [await stateOf(named(['old.example.com'])), await stateOf(named([]))];
    expect(after.pods).toEqual(before.pods);
    const { config, etcd, names } = before.resource;
    const applied = { applied: { config, etcd }, manifestsAsWritten: true, traces: [], names };
    expect(controlPlaneKind.diff(before.resource, applied, diffContext)).toEqual([]);
    const crt = '/etc/kubernetes/pki/apiserver.crt';
    expect(controlPlaneKind.diff(after.resource, applied, diffContext)).toEqual([
      {
        resource: `file:${crt}`,
        action: 'update',
        detail: 'certificate of the API server: without old.example.com',
      },
    ]);
    const { certificateFiles } = offerOf({ cluster: sampleCluster({ engine, hosts: stacked }), phases }, controlPlane);
    expect(certificateFiles).toEqual(expect.arrayContaining([crt, '/etc/kubernetes/kubeadm.yaml']));
    const ran: string[] = [];
    const said = { code: 0, stdout: '', stderr: '', durationMs: 1, truncated: false };
    const host = {
      exec: async (argv: readonly string[]) => (ran.push(argv.join(' ')), said),
      script: async () => (ran.push('script'), said),
    };
    const apply = { host, onStep: () => undefined } as unknown as ApplyContext;
    await after.resource.change(apply, applied);
    const kubeadmBinary = '/usr/local/bin/kubeadm';
    const withConfig = '--config /etc/kubernetes/kubeadm.yaml';
    expect(ran.filter((line) => !line.includes(' validate '))).toEqual([
      `rm -f -- ${crt} ${crt.replace('.crt', '.key')}`,
      `${kubeadmBinary} init phase certs apiserver ${withConfig}`,
      `${kubeadmBinary} init phase upload-config all ${withConfig}`,
    ]);
  });

  const worker = kubeadmWorker('worker-1', { server: 'https://10.0.0.1:6443', join: async () => undefined });
  const workerDiffers = (output: string) =>
    workerKind
      .diff(worker, workerKind.parse(output, worker), diffContext)
      .map(({ action, detail }) => `${action} ${detail}`);
  it('a worker joins once, and follows the endpoint', () => {
    expect(workerDiffers('end\n')).toEqual(['create joins']);
    expect(workerDiffers('trace /etc/kubernetes/bootstrap-kubelet.conf\nend\n')).toEqual([
      'create joins: an attempt was interrupted',
    ]);
    expect(workerDiffers('joined\nserver https://10.0.0.1:6443\nend\n')).toEqual([]);
    expect(workerDiffers('joined\nserver https://10.0.0.9:6443\nend\n')).toEqual([
      'update its kubelet uses https://10.0.0.1:6443',
    ]);
  });
});

test('hosts know the cluster by the hash of its authority, as openssl computes it', async () => {
  const { cert } = await issueCa('test CA', new Date());
  const der = execFileSync('sh', ['-c', 'openssl x509 -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum'], {
    ...{ input: cert, encoding: 'utf8' },
  });
  expect(caCertHash(cert)).toBe(`sha256:${der.slice(0, 64)}`);
});

test('packet filter and settings are noted before kubeadm can start the kubelet', async () => {
  const of = async (phase: Phase) =>
    (await phase.resources!(await sampleContext(phase, { engine, hosts: stacked }))).map(kindAndId);
  const own = await of(kubelet);
  expect(own).toContain('witness:packet-filter');
  expect(own.indexOf('witness:packet-filter')).toBeLessThan(own.indexOf('service:kubelet'));
  // kubeadm runs in these two.
  for (const phase of [kubeadm, nodes]) expect(phase.needs).toContainEqual({ phase: kubelet.name, on: 'same-host' });
});
const kindAndId = ({ kind, id }: { kind: string; id: string }) => `${kind}:${id}`;
