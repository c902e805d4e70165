import { describe, expect, test } from 'vitest';
import { FLANNEL, FLANNEL_UDP } from '../../../activities/phases/flannel/artifacts.ts';
import { BACKENDS, FLANNEL_BACKENDS } from '../../../activities/phases/flannel/backends.ts';
import { flannelNetConf } from '../../../activities/phases/flannel/config.ts';
import { FLANNEL_TEARDOWN } from '../../../activities/phases/flannel/teardown-script.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import layer2 from '../../../activities/phases/preflight/checks/layer2.ts';
import system from '../../../activities/phases/preflight/checks/system.ts';
import { specIssuesOf } from '../../../activities/phases/spec-issues.ts';
import type { OperationInput } from '../../../contracts/operation.ts';
import { requirementsOf, sampleCluster, sampleFacts } from '../../golden/golden.ts';
import { makePlan } from '../../support/plans.ts';

const phases = await loadPhases();
const of = (options: object, host = 0) => {
  const cluster = sampleCluster({ phases: { flannel: { ...options } } });
  const own = cluster.spec.hosts[host]!;
  return { cluster, host: own, requirements: requirementsOf(cluster, own), options: {} as never };
};
const input = (options: object, arch = 'amd64') => ({
  ...of(options),
  facts: { ...sampleFacts, arch },
  duplicateHost: null,
  askedAtMs: 0,
  answeredAtMs: 0,
});

test('a link of any backend is taken away by a teardown', () => {
  for (const name of FLANNEL_BACKENDS)
    for (const link of BACKENDS[name].links) expect(FLANNEL_TEARDOWN).toContain(` ${link}`);
});

describe('host-gw', () => {
  const peers = ['10.20.0.12', '10.20.0.13'];

  test('asks each node for its route to every other, and no node of another backend', () => {
    expect(layer2.probe?.args(of({ backend: 'host-gw' }))).toEqual(peers);
    for (const backend of ['vxlan', 'udp', 'wireguard']) expect(layer2.probe?.args(of({ backend }))).toBeNull();
  });

  test('no gateway, no problem', () => {
    expect(layer2.evaluate(input({ backend: 'host-gw' }), [])).toEqual([]);
  });

  test('names the pairs that have a gateway between them, or no route', () => {
    const rows = [
      ['10.20.0.12', 'via', '10.20.0.12 via 10.20.0.1 dev eth0 src 10.20.0.11 uid 0'],
      ['10.20.0.13', 'none', 'RTNETLINK answers: Network is unreachable'],
    ];
    expect(layer2.evaluate(input({ backend: 'host-gw' }), rows)).toEqual([
      {
        code: 'LAYER2_NOT_SHARED',
        message:
          'flannel backend host-gw needs all nodes in one layer 2 network: cp-1 reaches worker-1 through the gateway 10.20.0.1, cp-1 reaches worker-2 by no route',
        evidence: expect.stringMatching(/worker-1 .*: ip route get: 10\.20\.0\.12 via 10\.20\.0\.1[^]*worker-2/),
      },
    ]);
  });
});

describe('udp', () => {
  test('exists for amd64 only', () => {
    expect(system.evaluate(input({ backend: 'udp' }, 'arm64'), [])).toEqual([
      {
        code: 'OS_UNSUPPORTED',
        message: 'flannel backend udp exists for amd64 only',
        evidence: 'uname -m: arm64',
      },
    ]);
    expect(system.evaluate(input({ backend: 'udp' }), [])).toEqual([]);
    expect(system.evaluate(input({ backend: 'vxlan' }, 'arm64'), [])).toEqual([]);
  });

  test('has a file of its own, which the mirror builds on demand; both are the same release', () => {
    const files = (options: object) =>
      of(options).requirements.flatMap(({ artifacts = [] }) => artifacts.map(({ artifact }) => artifact.name));
    expect(files({ backend: 'udp' })).toContain('flannel-udp');
    expect(files({ backend: 'udp' })).not.toContain('flannel');
    expect(files({})).not.toContain('flannel-udp');
    expect(FLANNEL_UDP.onDemand).toBe(true);
    expect(FLANNEL_UDP.file('1.2.3', 'amd64').url).toBe(FLANNEL.file('1.2.3', 'amd64').url);
    expect(FLANNEL_UDP.file('1.2.3', 'amd64').mirrorPath).not.toBe(FLANNEL.file('1.2.3', 'amd64').mirrorPath);
  });
});

describe('wireguard', () => {
  test('has port, keepalive and key in the configuration', () => {
    const settings = { vxlanPort: 8472, wireguardPort: 51_900, keepaliveSeconds: 25, presharedKey: 'a2V5' };
    expect(JSON.parse(flannelNetConf('10.244.0.0/16', { backend: 'wireguard', settings }))).toEqual({
      Network: '10.244.0.0/16',
      EnableIPv4: true,
      Backend: { Type: 'wireguard', ListenPort: 51_900, PersistentKeepaliveInterval: 25, PSK: 'a2V5' },
    });
  });

  test('needs the kernel feature, and its own port', () => {
    const { requirements } = of({ backend: 'wireguard', wireguard: { port: 51_900 } });
    const own = requirements.find(({ phase }) => phase === 'flannel')!;
    expect(own.features?.map(({ name }) => name)).toContain('wireguard');
    expect(own.ports?.map(({ protocol, port }) => `${port}/${protocol}`)).toEqual(['51900/udp']);
  });

  test('its settings are refused with another backend', () => {
    const cluster = sampleCluster({ phases: { flannel: { wireguard: {} } } });
    expect(specIssuesOf(cluster, [...phases.values()])).toEqual([
      { path: 'spec.phases.flannel.wireguard', message: expect.stringContaining('the backend is vxlan') },
    ]);
  });
});

describe('a change on a running cluster', () => {
  const operation: OperationInput = {
    ...{ kind: 'build', specRef: 'a'.repeat(64), mode: 'apply', requestId: 'request', cluster: 'sample' },
    ...{ actor: { name: 'admin', role: 'admin' }, operationId: 'operation' },
  };
  const rolled = (was: object, is: object) => {
    const [before, cluster] = [was, is].map((flannel) => sampleCluster({ phases: { flannel: { ...flannel } } }));
    const served = cluster!.spec.hosts.map(({ name }) => name);
    const { windows = [] } = makePlan(operation, cluster!, [...phases.values()], { served, before: before! });
    return windows.find(({ what }) => what === 'node')!.phases;
  };

  test.each<[string, object, object]>([
    ['backend', {}, { backend: 'host-gw' }],
    ['port of the tunnels', {}, { vxlanPort: 4789 }],
    ['key of all nodes', { backend: 'wireguard' }, { backend: 'wireguard', wireguard: { presharedKey: true } }],
  ])('%s: all nodes at the same time, for nodes before and behind it lose each other', (_what, was, is) => {
    expect(rolled(was, is)).not.toContain('flannel');
    expect(rolled(was, is)).toContain('node-ready');
  });

  test('anything else goes from node to node', () => {
    expect(rolled({}, { ipMasq: false })).toContain('flannel');
    expect(rolled({}, {})).toContain('flannel');
  });
});
