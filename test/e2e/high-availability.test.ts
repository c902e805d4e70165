import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HaCase, holderOf } from '../../cli/dev/ha/case.ts';
import { CASES } from '../../cli/dev/ha/cases/index.ts';
import { HaCluster } from '../../cli/dev/ha/cluster.ts';
import { type Measured, measure } from '../../cli/dev/ha/measure.ts';
import { line } from '../../cli/dev/ha/report.ts';
import { type Bench, freshBench } from './support.ts';

/**
 * Three control planes with etcd behind two balancers with a virtual address, and a client outside that writes all the
 * while: what `npm run bench:ha` measures, without its goals for times. All cases use one cluster.
 */
let bench: Bench;
let cluster: HaCluster;

beforeAll(async () => {
  bench = await freshBench('kwha', { 'control-plane': 3, 'load-balancer': 2 });
  cluster = new HaCluster(bench.lab, bench.api, bench.lab.spec);
  await cluster.build();
});
afterAll(() => bench?.end());

async function under(name: string): Promise<Measured> {
  const one = CASES.find((each) => each.name === name) as HaCase;
  await cluster.healthy();
  const access = await cluster.access();
  expect(access.server).toBe(`https://${bench.lab.virtualAddress}:6443`);
  const outside = { access, namespace: 'default', prefix: `${name}-${Date.now()}` };
  const measured = await measure(one, { cluster, inside: null, outside });
  process.stdout.write(`${line(measured)}\n`);
  return measured;
}

/** Every write was acknowledged in the end, and what was acknowledged is there. */
const NOTHING_LOST = { writer: { missing: [], open: 0 } };

describe('a client that writes through the endpoint loses nothing', () => {
  it('while the host of the balancer that has the address is powered off: the other one takes it, alone', async () => {
    const before = await holderOf(cluster);
    const measured = await under('balancer-off');
    expect(measured).toMatchObject(NOTHING_LOST);
    expect(measured.oneHolderMs).not.toBe('never');
    // The address stays where it is when the host returns.
    expect(await holderOf(cluster)).not.toBe(before);
  });

  it('while the control plane that serves it is powered off', async () => {
    expect(await under('control-plane-off')).toMatchObject(NOTHING_LOST);
  });

  it('while an option of all API servers changes', async () => {
    expect(await under('api-server-option')).toMatchObject(NOTHING_LOST);
    const units = await Promise.all(
      cluster.hosts('control-plane').map((host) => cluster.on(host, 'systemctl', 'cat', 'kube-apiserver')),
    );
    expect(units.map((unit) => /--max-requests-inflight=(\d+)/.exec(unit)?.[1])).toEqual(['500', '500', '500']);
  });
});
