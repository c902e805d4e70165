import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HaCluster } from '../../cli/dev/ha/cluster.ts';
import { holdersOf } from '../../cli/dev/ha/holders.ts';
import { KubeClient } from '../../cli/dev/ha/kube-client.ts';
import { OutsideClient } from '../../cli/dev/ha/outside-client.ts';
import { specFor } from '../../cli/dev/ha/providers.ts';
import type { OperationStatus } from '../../contracts/operation.ts';
import { powerOff, startSshd, stopSshd } from '../../lab/faults.ts';
import { type Bench, freshBench } from '../e2e/support.ts';

/**
 * Three control planes behind two balancers, and a client that writes through the virtual address all the while: control planes and
 * balancers join, leave, are replaced and excluded. After each step every balancer knows exactly the control planes of the spec, and a
 * further build changes nothing.
 */

const NAMESPACE = 'members';
let bench: Bench;
let cluster: HaCluster;
let client: OutsideClient;

const addressOf = (machine: string) => bench.lab.hosts.find(({ name }) => name === machine)!;
const planes = () => cluster.hosts('control-plane');
const balancers = () => cluster.hosts('load-balancer');
const request = (method: string, path: string, body: object = {}) =>
  bench.api.request<{ operation: string }>(method, `/clusters/${bench.name}${path}`, body);

/** The spec with another list of hosts, as a user would send it. */
function setHosts(change: (hosts: HaCluster['spec']['spec']['hosts']) => HaCluster['spec']['spec']['hosts']): void {
  const { spec } = cluster.spec;
  cluster.spec = { ...cluster.spec, spec: { ...spec, hosts: change(spec.hosts) } };
}

/** Tasks that changed something. The smoke test runs its pod again where the nodes are others than it saw. */
const changesOf = ({ tasks }: OperationStatus) =>
  tasks.flatMap(({ phase, host, changeCount = 0 }) =>
    changeCount > 0 && phase !== 'verify' ? [`${phase} on ${host}`] : [],
  );

/** Each balancer leads to the control planes of the spec and no other, all of them ready; one has the address; nothing is left to do. */
async function settled(out: readonly string[] = []): Promise<void> {
  for (const balancer of balancers().filter((each) => !out.includes(each))) {
    const states = async () =>
      (await cluster.on(balancer, '/usr/local/lib/kubewright/balancer', 'states')).split('\n').sort();
    await expect.poll(states, { timeout: 30_000 }).toEqual(
      planes()
        .map((name) => `${name} ready`)
        .sort(),
    );
    const conf = await cluster.on(balancer, 'cat', '/etc/keepalived/keepalived.conf');
    const [, listed = ''] = /unicast_peer \{([^}]*)\}/.exec(conf) ?? [];
    const peers = balancers().filter((each) => each !== balancer);
    expect(listed.trim().split(/\s+/).filter(Boolean)).toEqual(peers.map((each) => cluster.addressOf(each)));
  }
  const machines = balancers().map((host) => cluster.machineOf(host));
  await expect
    .poll(() => holdersOf(bench.lab, machines, bench.lab.virtualAddress), { timeout: 10_000 })
    .toHaveLength(1);
  expect(changesOf(await cluster.build())).toEqual([]);
}

beforeAll(async () => {
  bench = await freshBench('kmmem', { 'control-plane': 3, 'load-balancer': 2, worker: 1, spare: 2 });
  cluster = new HaCluster(bench.lab, bench.api, specFor('load-balancer', bench.lab));
  await cluster.build();
  const access = await cluster.access();
  const kube = new KubeClient(access);
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
  expect((await kube.send('new', 'POST', '/api/v1/namespaces', namespace, 10_000)).status).toBe(201);
  client = await OutsideClient.start({ access, namespace: NAMESPACE, prefix: 'm' });
});
afterAll(async () => {
  client?.kill();
  await bench?.end();
});

describe('three control planes behind two balancers', () => {
  it('are settled', () => settled());

  it('a fourth control plane joins: it serves before a balancer knows it', async () => {
    const { address, hostKey } = addressOf('spare-1');
    setHosts((hosts) => [...hosts, { name: 'cp-4', address, roles: ['control-plane'], ssh: { hostKey } }]);
    const { tasks } = await cluster.build();
    const served = tasks.find(({ phase, host }) => phase === 'master' && host === 'cp-4')!.endedAt!;
    for (const balancer of balancers()) {
      const task = tasks.find(({ phase, host }) => phase === 'load-balancer' && host === balancer)!;
      expect(task.changeCount).toBeGreaterThan(0);
      expect(task.startedAt! >= served, `${balancer} ${task.startedAt} ${served}`).toBe(true);
    }
    await settled();
  });

  it('and leaves again: balancers forget it before it is torn down', async () => {
    const { operation } = await request('DELETE', '/hosts/cp-4?confirm=cp-4');
    const { tasks } = await cluster.succeeded(operation);
    const ends = tasks.find(({ phase }) => phase === 'teardown')!;
    for (const balancer of balancers()) {
      const task = tasks.find(({ phase, host }) => phase === 'load-balancer' && host === balancer)!;
      expect(task.changeCount).toBeGreaterThan(0);
      expect(task.endedAt! <= ends.startedAt!, `${balancer} ${task.endedAt} ${ends.startedAt}`).toBe(true);
    }
    setHosts((hosts) => hosts.filter(({ name }) => name !== 'cp-4'));
    await settled();
  });

  it('one is replaced by another machine', async () => {
    await powerOff(bench.lab, 'cp-2');
    await cluster.quarantine('cp-2');
    await cluster.replace('cp-2', 'spare-1');
    await settled();
  });

  it('a balancer is replaced by another machine', async () => {
    await powerOff(bench.lab, 'lb-1');
    await cluster.quarantine('lb-1');
    await cluster.replace('lb-1', 'spare-2');
    await settled();
  });

  it('a balancer is excluded, the last one cannot be, and the first is healed', async () => {
    await stopSshd(bench.lab, 'lb-2');
    await cluster.quarantine('lb-2');
    await stopSshd(bench.lab, cluster.machineOf('lb-1'));
    const { operation } = await request('POST', '/operations', { kind: 'build' });
    await bench.api.follow(bench.name, operation, undefined, ['blocked', 'succeeded', 'failed']);
    await expect(request('POST', '/hosts/lb-1/skip')).rejects.toThrow(
      /QUORUM_WOULD_BREAK.*0 of 2 load balancers would be left/s,
    );
    await expect(request('DELETE', '/hosts/lb-1?confirm=lb-1')).rejects.toThrow(
      /QUORUM_WOULD_BREAK.*0 of 2 load balancers would be left/s,
    );
    await startSshd(bench.lab, cluster.machineOf('lb-1'));
    await request('POST', '/hosts/lb-1/retry');
    const blocked = async () => (await bench.api.operation(bench.name, operation)).blockedHosts;
    await expect.poll(blocked, { timeout: 30_000 }).toEqual([]);
    await cluster.succeeded(operation);
    await startSshd(bench.lab, 'lb-2');
    const heal = await request('POST', '/operations', { kind: 'heal', hosts: ['lb-2'] });
    await cluster.succeeded(heal.operation);
    await settled();
  });

  it('a balancer leaves: the address moves first, and the last one cannot', async () => {
    const [holder] = await holdersOf(
      bench.lab,
      balancers().map((host) => cluster.machineOf(host)),
      bench.lab.virtualAddress,
    );
    const leaving = balancers().find((host) => cluster.machineOf(host) === holder)!;
    const { operation } = await request('DELETE', `/hosts/${leaving}?confirm=${leaving}`);
    const { tasks } = await cluster.succeeded(operation);
    const handed = tasks.find(({ phase }) => phase === 'hand-over')!;
    expect(handed).toMatchObject({ host: leaving, changeCount: 1 });
    for (const { phase, startedAt } of tasks) {
      if (phase !== 'hand-over') expect(startedAt! >= handed.endedAt!, phase).toBe(true);
    }
    setHosts((hosts) => hosts.filter(({ name }) => name !== leaving));
    await settled();
    const [last] = balancers();
    await expect(request('DELETE', `/hosts/${last}?confirm=${last}`)).rejects.toThrow(
      /QUORUM_WOULD_BREAK.*0 of 1 load balancers would be left/s,
    );
  });

  it('and no acknowledged write is missing', async () => {
    const { missing, streams, failures, open } = await client.stop();
    console.log(JSON.stringify({ missing: missing.length, open, failures, ...streams }));
    expect(missing).toEqual([]);
  });
});
