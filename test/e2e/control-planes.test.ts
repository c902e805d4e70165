import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { NAMESPACE, operationWorkflowId } from '../../contracts/messages.ts';
import type { OperationState, OperationStatus } from '../../contracts/operation.ts';
import { execInHost, powerOff, startSshd, stopSshd } from '../../lab/faults.ts';
import type { ClusterSpecInput, Lab } from '../../lab/types.ts';
import { type Cluster, withCluster } from './chaos/cluster.ts';
import { WatchedBuild } from './chaos/watched-build.ts';
import { figure, seconds } from './figures.ts';

/** Three control planes with etcd, a worker with what there is only one of, and a machine that the spec does not name. */
const LAB = { name: 'kwcp', hosts: 5, controlPlanes: 3 };
const CONTROL_PLANES = ['cp-1', 'cp-2', 'cp-3'];
const WORKER = 'worker-1';
const SPARE = 'worker-2';
const CAUSES = ['SSH_UNREACHABLE', 'SSH_CONNECTION_LOST'];
const ENDED: OperationState[] = ['succeeded', 'failed', 'cancelled'];
/** A bound on a hang. */
const WAIT_MS = 180_000;
const POLL = { timeout: WAIT_MS, interval: 100 };

/** Only a majority of etcd and the last control plane bind here: registry and time are the worker's. */
function specOf({ spec }: Lab, policy: object = {}): ClusterSpecInput {
  const hosts = spec.spec.hosts
    .filter(({ name }) => name !== SPARE)
    .map((host) => ({
      ...host,
      roles: host.name === WORKER ? ['worker', 'registry', 'time-server'] : ['control-plane', 'etcd', 'worker'],
    }));
  return { ...spec, spec: { ...spec.spec, hosts, policy } };
}

/** A 503 says that no worker answered yet: the same key is safe to repeat. */
async function post({ services }: Cluster, path: string, body: object): Promise<string> {
  const key = { 'idempotency-key': randomUUID() };
  for (const deadline = Date.now() + WAIT_MS; ; ) {
    try {
      return (await services.api.request<{ operation: string }>('POST', path, body, key)).operation;
    } catch (error) {
      if (!String(error).includes('HTTP 503') || Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}

const decide = (at: Cluster, host: string, action: string, body: object = {}) =>
  post(at, `/clusters/${at.lab.name}/hosts/${host}/${action}`, body);
const blocked = ({ services, lab }: Cluster, operation: string): Promise<OperationStatus> =>
  services.api.follow(lab.name, operation);
const ended = ({ services, lab }: Cluster, operation: string): Promise<OperationStatus> =>
  services.api.follow(lab.name, operation, undefined, ENDED);

/** Changes that a further build makes, a line per task. */
async function furtherChanges(at: Cluster): Promise<string[]> {
  const build = await post(at, `/clusters/${at.lab.name}/operations`, { kind: 'build' });
  const { state, tasks } = await ended(at, build);
  const changed = tasks.filter(({ changeCount = 0, restarts = 0 }) => changeCount > 0 || restarts > 0);
  return [...(state === 'succeeded' ? [] : [state]), ...changed.map(({ phase, host }) => `${phase} on ${host}`)];
}

/** Output of a command on a machine of the lab, past SSH and our own code. */
async function on(lab: Lab, machine: string, ...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await execInHost(lab, machine, argv);
  if (code !== 0) throw new Error(`${argv.join(' ')} on ${machine}: ${stderr}`);
  return stdout.trim();
}
const kubectl = (lab: Lab, machine: string, ...args: string[]) =>
  on(lab, machine, '/usr/local/bin/kubectl', '--kubeconfig', '/etc/kubewright/admin.kubeconfig', ...args);

/** Names, whether Ready, and addresses of all nodes, through the API server of a machine. */
async function nodes(lab: Lab, machine: string): Promise<string[]> {
  const row =
    '{.metadata.name} {.status.conditions[?(@.type=="Ready")].status} {.status.addresses[?(@.type=="InternalIP")].address}';
  const list = await kubectl(lab, machine, 'get', 'nodes', '-o', `jsonpath={range .items[*]}${row}{"\\n"}{end}`);
  return list.split('\n').sort();
}

/** Members of etcd as a machine of it lists them: name, whether it votes, client address. Fails unless all are healthy. */
async function etcdMembers(lab: Lab, machine: string): Promise<string[]> {
  const tls = [
    '--cacert',
    '/etc/etcd/pki/ca.crt',
    '--cert',
    '/etc/etcd/pki/health.crt',
    '--key',
    '/etc/etcd/pki/health.key',
  ];
  const local = lab.hosts.find(({ name }) => name === machine)!.address;
  const etcdctl = (...args: string[]) =>
    on(lab, machine, '/usr/local/bin/etcdctl', '--endpoints', `https://${local}:2379`, ...tls, ...args);
  await etcdctl('endpoint', 'health', '--cluster', '--command-timeout', '30s');
  const rows = (await etcdctl('member', 'list')).split('\n').map((row) => row.split(', '));
  return rows.map(([, state, name, , client, learner]) => `${name} ${state} ${client} ${learner}`).sort();
}

/** When a node last said that it lives, as the API server of a machine knows it. */
async function lastWord(lab: Lab, machine: string, node: string): Promise<number> {
  const argv = ['--namespace', 'kube-node-lease', 'get', 'lease', node, '-o', 'jsonpath={.spec.renewTime}'];
  return Date.parse(await kubectl(lab, machine, ...argv));
}

/** Events of an operation's workflow that a message can leave. */
async function messageEvents({ services, lab }: Cluster, operation: string): Promise<number> {
  const connection = await Connection.connect({ address: services.temporalAddress });
  try {
    const client = new Client({ connection, namespace: NAMESPACE });
    const { events } = await client.workflow.getHandle(operationWorkflowId(lab.name, operation)).fetchHistory();
    return events!.filter(
      (event) => event.workflowExecutionUpdateAcceptedEventAttributes ?? event.workflowExecutionSignaledEventAttributes,
    ).length;
  } finally {
    await connection.close();
  }
}

describe('a control plane of three', () => {
  it('the first one is down: reported, excluded, its work done by another, a second exclusion refused; then replaced by another machine', async () => {
    const [dead, next, third] = CONTROL_PLANES as [string, string, string];
    await withCluster(LAB, async (at) => {
      const { lab } = at;
      const addressOf = (machine: string) => lab.hosts.find(({ name }) => name === machine)!.address;
      const member = (name: string, machine = name) => `${name} started https://${addressOf(machine)}:2379 false`;
      const node = (name: string, machine = name) => `${name} True ${addressOf(machine)}`;
      const built = await ended(at, await post(at, '/clusters', specOf(lab)));
      expect(built).toMatchObject({ state: 'succeeded' });
      await expect.poll(() => etcdMembers(lab, next), POLL).toEqual(CONTROL_PLANES.map((name) => member(name)));

      await powerOff(lab, dead);
      const lostAt = Date.now();
      const build = await post(at, `/clusters/${lab.name}/operations`, { kind: 'build' });
      const blames = async () => (await at.services.api.operation(lab.name, build)).blockedHosts;
      await expect.poll(blames, POLL).toEqual([dead]);
      const namedMs = Date.now() - lostAt;
      const named = await blocked(at, build);
      expect(named).toMatchObject({ state: 'blocked', blockedHosts: [dead] });
      for (const { host, error } of named.tasks.filter(({ state }) => state === 'blocked')) {
        expect(host).toBe(dead);
        expect(CAUSES).toContain(error?.code);
      }
      await decide(at, dead, 'skip');
      const without = await ended(at, build);
      expect(without).toMatchObject({ state: 'succeeded', quarantinedHosts: [dead] });
      expect(without.tasks).toContainEqual(
        expect.objectContaining({ phase: 'verify', host: next, state: 'succeeded' }),
      );
      // The worker has found another API server.
      await expect.poll(() => lastWord(lab, third, WORKER), POLL).toBeGreaterThan(lostAt + 15_000);
      await expect
        .poll(() => nodes(lab, next), POLL)
        .toEqual(expect.arrayContaining([node(next), node(third), node(WORKER)]));
      const kubeconfig = await at.services.api.request<string>('GET', `/clusters/${lab.name}/kubeconfig`);
      expect(kubeconfig).toContain(`https://${addressOf(next)}:6443`);

      await stopSshd(lab, next);
      const policy = { onHostFailure: 'quarantine', maxQuarantined: 4 };
      const second = await post(at, '/clusters', specOf(lab, policy));
      const refusing = await blocked(at, second);
      expect(refusing).toMatchObject({ state: 'blocked', blockedHosts: [next], quarantinedHosts: [dead] });
      const task = refusing.tasks.find(({ state }) => state === 'blocked');
      expect(task?.policy).toContain('1 of 3 etcd members would be left');
      const before = await messageEvents(at, second);
      await expect(decide(at, next, 'skip')).rejects.toThrow(/HTTP 409 .*QUORUM_WOULD_BREAK/);
      expect(await messageEvents(at, second)).toBe(before);
      await startSshd(lab, next);
      await decide(at, next, 'retry');
      expect(await ended(at, second)).toMatchObject({ state: 'succeeded', quarantinedHosts: [dead] });

      const healAt = Date.now();
      const replaced = await decide(at, dead, 'replace', { address: addressOf(SPARE) });
      const heal = await blocked(at, replaced);
      expect(heal).toMatchObject({ kind: 'heal', state: 'succeeded', quarantinedHosts: [] });
      const healMs = Date.now() - healAt;
      const commands = await at.services.api.commands(lab.name, { operation: replaced });
      // The others learn the new address, and the time server lets it in; what is of no host is what was asked for.
      // Looking at the health of the cluster is no change of a host.
      const others = commands.filter(
        ({ host, phase }) => host !== dead && phase !== 'health' && lab.hosts.some(({ name }) => name === host),
      );
      const told = [next, third, WORKER].flatMap((host) => [`prepare on ${host}`, `host-names on ${host}`]);
      expect([...new Set(others.map(({ host, phase }) => `${phase} on ${host}`))].sort()).toEqual(
        [...told, `chrony on ${WORKER}`].sort(),
      );
      await expect
        .poll(() => etcdMembers(lab, SPARE), POLL)
        .toEqual([member(dead, SPARE), member(next), member(third)]);
      await expect
        .poll(() => nodes(lab, SPARE), POLL)
        .toEqual([node(dead, SPARE), node(next), node(third), node(WORKER)]);
      expect(await furtherChanges(at)).toEqual([]);
      figure('control-planes', {
        case: 'first of three control planes dead',
        'named after': seconds(namedMs),
        'healed with another machine in': seconds(healMs),
      });
    });
  });

  it('down during the first build: a replacement finishes it', async () => {
    const [first, dead] = CONTROL_PLANES as [string, string, string];
    await withCluster(LAB, async (at) => {
      const { lab } = at;
      const addressOf = (machine: string) => lab.hosts.find(({ name }) => name === machine)!.address;
      const machineOf = (name: string) => (name === dead ? SPARE : name);
      at.lab.spec = specOf(lab);
      const build = await WatchedBuild.start(at);
      await build.untilReached({ phase: 'etcd', host: dead, seq: 3, side: 'begin' });
      await powerOff(lab, dead);
      const lostAt = Date.now();
      const named = await build.until(({ blockedHosts }) => blockedHosts.length > 0);
      const namedMs = Date.now() - lostAt;
      expect(named.blockedHosts).toEqual([dead]);
      await decide(at, dead, 'replace', { address: addressOf(SPARE) });
      const status = await build.ended();
      expect(status).toMatchObject({ state: 'succeeded', quarantinedHosts: [] });
      await expect
        .poll(() => etcdMembers(lab, first), POLL)
        .toEqual(CONTROL_PLANES.map((name) => `${name} started https://${addressOf(machineOf(name))}:2379 false`));
      await expect
        .poll(() => nodes(lab, SPARE), POLL)
        .toEqual([...CONTROL_PLANES, WORKER].map((name) => `${name} True ${addressOf(machineOf(name))}`));
      expect(await furtherChanges(at)).toEqual([]);
      figure('control-planes', { case: 'control plane lost in the first build', 'named after': seconds(namedMs) });
    });
  });
});
