import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { containerRuntime } from '../../../activities/phases/capabilities/container-runtime.ts';
import { controlPlaneEndpoint } from '../../../activities/phases/capabilities/control-plane-endpoint.ts';
import { podNetwork } from '../../../activities/phases/capabilities/pod-network.ts';
import { defineCapability } from '../../../activities/phases/capability.ts';
import { offerOf } from '../../../activities/phases/offers.ts';
import type { Phase, PhaseContext } from '../../../activities/phases/phase.ts';
import { loadPhases, sortPhases } from '../../../activities/phases/phase-loader.ts';
import { choicesOf, offeredCapabilities } from '../../../activities/phases/provides.ts';
import { requirementsOn, unitsOf } from '../../../activities/phases/requires.ts';
import { plainText, type Resource, type Text } from '../../../activities/resources/resource.ts';
import { phaseValidator } from '../../../api/validate-phases.ts';
import { sampleCluster, sampleContext } from '../../golden/golden.ts';
import { makePlan } from '../../support/plans.ts';
import { toyNetwork, toyPhase, toyRuntime } from '../../support/toy-phase.ts';

const real = await loadPhases();
const named = (name: string) => real.find((phase) => phase.name === name)!;

/** Texts by path, units by name, of what a real phase desires beside these phases. */
async function rendered(name: string, phases: readonly Phase[], chosen: Record<string, Record<string, unknown>>) {
  const context = await sampleContext(named(name), { phases: chosen });
  const { cluster, host } = context;
  const offer: PhaseContext<never>['offer'] = (capability, other = host) =>
    offerOf({ cluster, phases }, capability, other);
  const resources = (await named(name).resources!({ ...context, offer })) as readonly (Resource & {
    content?: Text;
    unit?: string;
  })[];
  return Object.fromEntries(
    resources.map(({ id, content, unit }) => [id, unit ?? (content === undefined ? '' : plainText(content))]),
  );
}

test('every provider offers data of its capability, on each host of a cluster', () => {
  const cluster = sampleCluster();
  expect([...offeredCapabilities(real).keys()].sort()).toEqual(expect.arrayContaining(choicesOf(real)));
  for (const capability of offeredCapabilities(real).values()) {
    if (!capability.choice) continue;
    for (const host of [undefined, ...cluster.spec.hosts]) offerOf({ cluster, phases: real }, capability, host);
  }
});

test('what is offered follows the options, also those of one host', () => {
  const cluster = sampleCluster({
    phases: { runtime: { config: { systemdCgroup: false } }, master: { endpoint: 'api.example.com' } },
  });
  cluster.spec.hosts[1]!.phases = { runtime: { config: { systemdCgroup: true } } };
  const driver = (at?: number) =>
    offerOf({ cluster, phases: real }, containerRuntime, at === undefined ? at : cluster.spec.hosts[at]).cgroupDriver;
  expect([driver(), driver(0), driver(1)]).toEqual(['cgroupfs', 'cgroupfs', 'systemd']);
  const endpoint = (phases: Record<string, Record<string, unknown>>) =>
    offerOf({ cluster: sampleCluster({ phases }), phases: real }, controlPlaneEndpoint);
  const whole = { port: 6443, certificateNames: [], drainSeconds: 0 };
  expect(endpoint({})).toEqual({ ...whole, host: '10.20.0.11', forClients: false });
  expect(endpoint({ master: { endpoint: 'api.example.com' } })).toEqual({
    ...whole,
    host: 'api.example.com',
    forClients: true,
    certificateNames: ['api.example.com'],
  });
});

describe('a toy runtime in place of ours', () => {
  const chosen = { runtime: { enabled: false }, toyrun: {} };

  test('is planned where containerd was, and the kubelet takes socket, unit and cgroup driver from it', async () => {
    const phases = sortPhases([...real, ...(await toyRuntime())]);
    expect(phaseValidator(phases)(sampleCluster({ phases: chosen }))).toEqual([]);
    const input = {
      ...{ cluster: 'sample', operationId: 'op', kind: 'build', mode: 'apply', specRef: '0'.repeat(64) },
      ...{ requestId: 'r', actor: { name: 'ann', role: 'operator' } },
    } as Parameters<typeof makePlan>[0];
    const plan = makePlan(input, sampleCluster({ phases: chosen }), phases);
    expect(plan.phases.map(({ name }) => name)).not.toContain('runtime');
    expect(plan.phases.find(({ name }) => name === 'nodes')!.needs).toContainEqual({
      phase: 'toyrun',
      on: 'same-host',
    });

    const nodes = await rendered('nodes', phases, chosen);
    expect(nodes['/etc/kubernetes/kubelet.yaml']).toMatch(/containerRuntimeEndpoint: unix:\/\/\/run\/toy\/toy\.sock/);
    expect(nodes['/etc/kubernetes/kubelet.yaml']).toMatch(/cgroupDriver: cgroupfs/);
    expect(nodes['kubelet']).toMatch(/^After=.*toyd\.service/m);
    expect(nodes['kubelet']).toMatch(/^Wants=.*toyd\.service/m);
    const flannel = await rendered('flannel', phases, chosen);
    expect(flannel['flanneld']).toMatch(/^After=.*toyd\.service/m);
    expect(JSON.stringify({ ...nodes, ...flannel })).not.toContain('containerd');
  });

  test('its units are those that leftovers of other clusters are compared with', async () => {
    const phases = sortPhases([...real, ...(await toyRuntime())]);
    const on = (name: string, given = {}) => {
      const cluster = sampleCluster({ phases: given });
      return unitsOf(requirementsOn(cluster, cluster.spec.hosts.find((host) => host.name === name)!, phases)).sort();
    };
    const node = ['flanneld.service', 'kube-proxy.service', 'kubelet.service'];
    expect(on('worker-1')).toEqual(['containerd.service', 'etcd.service', ...node]);
    expect(on('worker-1', chosen)).toEqual(['etcd.service', ...node, 'toyd.service']);
    expect(on('cp-1')).toEqual(expect.arrayContaining(['kube-apiserver.service', 'registry.service', ...node]));
  });
});

test('a pod network that assigns addresses itself: nodes get no podCIDR', async () => {
  const phases = sortPhases([...real, ...(await toyNetwork())]);
  const manager = async (chosen: Record<string, Record<string, unknown>>) =>
    (await rendered('master', phases, chosen))['kube-controller-manager'];
  expect(await manager({})).toContain('--allocate-node-cidrs=true');
  const toy = { flannel: { enabled: false }, toynet: { mtu: 1400 } };
  expect(await manager(toy)).toContain('--allocate-node-cidrs=false');
  expect(offerOf({ cluster: sampleCluster({ phases: toy }), phases }, podNetwork).mtu).toBe(1400);
});

describe('refused, with the names of phase and capability', () => {
  test('a provider that offers nothing, when the phases are loaded', async () => {
    const silent = await toyPhase('toynet', {
      more: `provides: ['pod-network'], needs: [], options: z.strictObject({}),`,
    });
    expect(() => sortPhases([...real, ...silent])).toThrow(/phase toynet provides pod-network and offers nothing/);
    const cluster = sampleCluster({ phases: { flannel: { enabled: false }, toynet: {} } });
    expect(() => offerOf({ cluster, phases: [...real, ...silent] }, podNetwork)).toThrow(
      expect.objectContaining({
        code: 'INTERNAL',
        message: expect.stringMatching(/toynet provides pod-network and offers nothing/),
      }),
    );
  });

  test('data of another shape', async () => {
    const cluster = sampleCluster({ phases: { runtime: { enabled: false }, toyrun: {} } });
    const phases = [...real, ...(await toyRuntime("socket: 'run/toy', unit: 'toyd'"))];
    expect(() => offerOf({ cluster, phases }, containerRuntime)).toThrow(
      expect.objectContaining({
        code: 'INTERNAL',
        message: expect.stringMatching(/phase toyrun .* container-runtime: socket: .*; unit: .*; cgroupDriver: /),
      }),
    );
  });

  test('no provider, and two', () => {
    const lamp = defineCapability({ name: 'lamp', choice: true, data: z.null() });
    expect(() => offerOf({ cluster: sampleCluster(), phases: real }, lamp)).toThrow(/no phase provides lamp/);
    const lit = ['a', 'b'].map((name) => ({ ...named('chrony'), name, provides: ['lamp'] }));
    expect(() => offerOf({ cluster: sampleCluster(), phases: lit }, lamp)).toThrow(/a and b each provide lamp/);
  });
});
