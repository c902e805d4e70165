import { expect, it } from 'vitest';
import { drainSeconds } from '../../../activities/phases/master/daemon-arguments.ts';
import { waitForAnother } from '../../../activities/phases/master/others-ready.ts';
import master from '../../../activities/phases/master/phase.ts';
import type { PhaseContext } from '../../../activities/phases/phase.ts';
import type { ServiceResource } from '../../../activities/resources/service.ts';
import { sampleCluster, sampleContext } from '../../golden/golden.ts';

const host = (name: string, roles: string[]) => ({ name, address: `10.20.0.1${name.at(-1)}`, roles });
const PLANE = ['control-plane', 'etcd', 'worker'];
const THREE = [host('cp-1', [...PLANE, 'registry', 'time-server']), host('cp-2', PLANE), host('cp-3', PLANE)];

/** The unit of the API server behind an endpoint whose balancers need so long to leave a server. */
async function unitOf(seconds: number, hosts = THREE, window?: PhaseContext<unknown>['window']) {
  const context = await sampleContext(master, { hosts });
  const offer = ((capability: { name: string }, ...rest: []) => {
    const offered = context.offer(capability as never, ...rest) as object;
    return capability.name === 'control-plane-endpoint' ? { ...offered, drainSeconds: seconds } : offered;
  }) as unknown as typeof context.offer;
  const resources = await master.resources!({ ...context, offer, ...(window ? { window } : {}) } as never);
  return resources.find(({ kind, id }) => kind === 'service' && id === 'kube-apiserver') as ServiceResource;
}

it('behind balancers that ask /readyz, an API server goes on serving until they have left it', async () => {
  const { unit } = await unitOf(5);
  expect(unit).toContain('--shutdown-delay-duration=5s');
  expect(unit).toContain('--goaway-chance=0.001');
  expect(unit).toContain('TimeoutStopSec=95');
});

it('without them its unit is as it was, and so is that of a single one', async () => {
  for (const { unit } of [await unitOf(0), await unitOf(5, [host('cp-1', [...PLANE, 'registry', 'time-server'])])]) {
    expect(unit).not.toMatch(/shutdown-delay-duration|goaway-chance|TimeoutStopSec/);
  }
});

it('in a window it is stopped only while another one that served before is ready; nothing of that is in the unit', async () => {
  const served = ['cp-1', 'cp-2', 'cp-3'];
  const one = await unitOf(0, THREE, { excluded: [], served });
  expect(one.beforeStop).toContain('https://10.20.0.12:6443/readyz');
  expect(one.beforeStop).toContain('https://10.20.0.13:6443/readyz');
  expect(one.unit).toBe((await unitOf(0)).unit);
  expect((await unitOf(0)).beforeStop).toBeUndefined();
  expect((await unitOf(0, THREE, { excluded: ['cp-2', 'cp-3'], served })).beforeStop).toBeUndefined();
  expect((await unitOf(0, THREE, { excluded: [], served: ['cp-1'] })).beforeStop).toBeUndefined();
  expect((await unitOf(0, THREE, { excluded: ['cp-2'], served })).beforeStop).not.toContain('10.20.0.12');
});

it('drains by what the endpoint offers', () => {
  const offer = (() => ({ drainSeconds: 7 })) as never;
  expect(drainSeconds({ cluster: sampleCluster({ hosts: THREE }), offer })).toBe(7);
});

it('the script before a stop is sound, and names what it waited for', () => {
  const hosts = sampleCluster({ hosts: THREE }).spec.hosts;
  const script = waitForAnother(hosts[0]!, hosts, { excluded: [], served: ['cp-2'] });
  expect(script).toContain('kw_fail APISERVER_NOT_READY');
  expect(script).toContain('cp-2');
});
