import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { hostHealthScript } from '../../../activities/health/host-script.ts';
import { healthOf } from '../../../activities/health/index.ts';
import { kubeletLimits } from '../../../activities/kube/eviction.ts';
import { keptRunning } from '../../../activities/phases/desired.ts';
import { phaseOptions } from '../../../activities/phases/options.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { sampleCluster } from '../../golden/golden.ts';

const VIP = '10.20.0.9';
const cluster = sampleCluster();
cluster.spec.hosts.forEach((host, index) => {
  if (index < 2) host.roles = [...host.roles, 'load-balancer'];
});
cluster.spec.controlPlane = { endpoint: { host: VIP, port: 8443 } };
const [first, second] = cluster.spec.hosts.map(({ name }) => name) as [string, string];
const phase = (await loadPhases()).find(({ name }) => name === 'load-balancer')!;

/** Reasons of the part, where the balancers print these rows; null: not looked at. */
function reasons(rows: Record<string, string[][] | null>, out: string[] = []) {
  const hosts = cluster.spec.hosts
    .filter(({ name }) => rows[name] !== null)
    .map((host) => ({
      ...{ host, limits: kubeletLimits(cluster, host) },
      rows: [['cert', 'x', ''], ...(rows[host.name] ?? [])],
    }));
  const ready = [['readyz', first, 'ok']];
  const view = { cluster, out: new Set(out), rows: ready, hosts, objects: [], now: Date.now() };
  const health = healthOf(view, { at: new Date().toISOString(), operationId: 'op', quarantined: [] });
  return health.reasons.flatMap(({ code, reason, evidence }) =>
    /BALANCER|VIRTUAL/.test(code) ? [{ code, reason, evidence }] : [],
  );
}
const holds = (state: string) => [['virtual-address', VIP, state]];

describe('the virtual address', () => {
  test('with one holder is well', () => {
    expect(reasons({ [first]: holds('held'), [second]: holds('absent') })).toEqual([]);
  });
  test('with two holders names both', () => {
    expect(reasons({ [first]: holds('held'), [second]: holds('held') })).toEqual([
      {
        code: 'VIRTUAL_ADDRESS_TWICE',
        reason: `${first} and ${second} hold ${VIP} at the same time`,
        evidence: `${first}: held, ${second}: held`,
      },
    ]);
  });
  test('without a holder is lost, once every balancer was asked', () => {
    expect(reasons({ [first]: holds('absent'), [second]: holds('absent') })).toMatchObject([
      { code: 'VIRTUAL_ADDRESS_LOST', reason: `no load balancer holds ${VIP}` },
    ]);
    expect(reasons({ [first]: holds('absent'), [second]: null })).toEqual([]);
    expect(reasons({ [first]: holds('absent'), [second]: null }, [second])).toMatchObject([
      { code: 'VIRTUAL_ADDRESS_LOST' },
    ]);
  });
});

test('an API server that is ready, and left out by a balancer', () => {
  const down = [...holds('held'), ['balancer', first, 'down'], ['balancer', 'gone', 'down']];
  expect(reasons({ [first]: down, [second]: holds('absent') })).toMatchObject([
    {
      code: 'BALANCER_SKIPS_SERVER',
      reason: `the load balancer ${first} sends nothing to the API server of ${first}, which is ready`,
    },
  ]);
});

test('units follow the flavour and the virtual address', () => {
  const units = (options: object, endpoint: string) => {
    const spec = structuredClone(cluster);
    spec.spec.phases['load-balancer'] = options as never;
    spec.spec.controlPlane = { endpoint: { host: endpoint } };
    return keptRunning(spec, phase).units;
  };
  expect(units({}, VIP)).toEqual(['haproxy', 'keepalived']);
  expect(units({ flavour: 'nginx' }, 'api.example.com')).toEqual(['nginx', 'kubewright-balancer-health']);
});

test('the probe is sound shell behind that of the host, and prints nothing where nothing was built', () => {
  const host = cluster.spec.hosts[0]!;
  const { script } = phase.healthProbe!({ cluster, host, options: phaseOptions(cluster, phase, host) });
  expect(script!.args).toEqual([VIP]);
  const own = hostHealthScript([script!]).slice(hostHealthScript().length - 'echo end\n'.length);
  const printed = execFileSync('sh', { input: `say() { echo "$@"; }\n${own}`, encoding: 'utf8' });
  expect(printed).toBe('end\n');
});
