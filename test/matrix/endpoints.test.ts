import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessOf } from '../../cli/dev/ha/kube-client.ts';
import { OutsideClient } from '../../cli/dev/ha/outside-client.ts';
import type { OperationStatus, TaskStatus } from '../../contracts/operation.ts';
import { seconds } from '../e2e/figures.ts';
import { type Bench, freshBench, ssh } from '../e2e/support.ts';

/**
 * One running cluster of three control planes that is moved from each way to its API servers to the next, while a client
 * writes 20 objects a second: certificates first, then clients node by node, then the old way is removed.
 */

type Machine = Bench['lab']['hosts'][number];
type Endpoint = { provider: string; host?: string; port?: number };
interface Way {
  endpoint(bench: Bench): Endpoint;
  /** What kubelets connect to. */
  server(bench: Bench): string;
  /** Names in the certificates of the API servers for this way alone. */
  names(bench: Bench): string[];
  /** API servers drain before they stop: something asks /readyz. */
  drains: boolean;
  /** True: what is there on a host for this way. */
  traces: string;
  /** Where it leaves traces. */
  on: (name: string) => boolean;
}

/** The address of the lab's network that no host has. */
const virtualAddress = (bench: Bench) => machine(bench, 'cp-1').address.replace(/\d+$/, '9');
const machine = (bench: Bench, name: string) => bench.lab.hosts.find((each) => each.name === name)!;
const isNode = (name: string) => name.startsWith('cp-') || name.startsWith('worker-');
const everyHost = (name: string) => !name.startsWith('spare-');

const WAYS: Record<string, Way> = {
  'host-names': {
    drains: false,
    endpoint: () => ({ provider: 'host-names' }),
    server: () => 'https://api.kubewright.internal:6443',
    names: () => [],
    traces: 'grep -q "api.kubewright.internal" /etc/hosts',
    on: everyHost,
  },
  'node-local': {
    drains: true,
    endpoint: () => ({ provider: 'node-local' }),
    server: () => 'https://127.0.0.1:7443',
    names: () => [],
    traces:
      '[ -e /etc/kubernetes/node-local ] || [ -e /etc/systemd/system/kubewright-node-local.service ] || getent passwd kubewright-node-local || systemctl is-active --quiet kubewright-node-local || dpkg-query -W haproxy',
    on: isNode,
  },
  external: {
    drains: false,
    endpoint: (bench) => ({ provider: 'external', host: machine(bench, 'spare-1').address, port: 8443 }),
    server: (bench) => `https://${machine(bench, 'spare-1').address}:8443`,
    names: (bench) => [machine(bench, 'spare-1').address],
    traces: 'false',
    on: () => false,
  },
  'load-balancer': {
    drains: true,
    endpoint: (bench) => ({ provider: 'load-balancer', host: virtualAddress(bench), port: 8443 }),
    server: (bench) => `https://${virtualAddress(bench)}:8443`,
    names: (bench) => [virtualAddress(bench)],
    traces:
      '[ -e /etc/kubewright/load-balancer ] || dpkg-query -W haproxy || dpkg-query -W keepalived || ip -4 addr | grep -q "[.]9/32"',
    on: (name) => BALANCERS.includes(name),
  },
};
const ORDER = ['node-local', 'external', 'load-balancer', 'host-names'];
/** Hosts that become balancers on the way, and keep the role: a control plane, and a worker. */
const BALANCERS = ['cp-2', 'worker-1'];

let bench: Bench;
let now = 'host-names';
let hasBalancers = false;
const inCluster = () => bench.lab.hosts.filter(({ name }) => !name.startsWith('spare-'));
const nodes = () => bench.lab.hosts.filter(({ name }) => isNode(name));
const controlPlanes = () => bench.lab.hosts.filter(({ name }) => name.startsWith('cp-'));

function specOf(endpoint: Endpoint): object {
  const { spec, ...rest } = structuredClone(bench.lab.spec);
  hasBalancers ||= endpoint.provider === 'load-balancer';
  const hosts = spec.hosts.map((host) =>
    hasBalancers && BALANCERS.includes(String(host.name))
      ? { ...host, roles: [...(host.roles as string[]), 'load-balancer'] }
      : host,
  );
  return { ...rest, spec: { ...spec, hosts, controlPlane: { endpoint } } };
}
async function build(endpoint: Endpoint): Promise<OperationStatus> {
  const { operation } = await bench.api.request<{ operation: string }>('POST', '/clusters', specOf(endpoint));
  const status = await bench.api.follow(bench.name, operation);
  expect(
    status.state,
    JSON.stringify(
      status.tasks.flatMap(({ error }) => error ?? []),
      null,
      1,
    ),
  ).toBe('succeeded');
  return status;
}
async function kubeconfig(): Promise<string> {
  const answer = await fetch(`${bench.service.url}/clusters/${bench.name}/kubeconfig`, {
    headers: { authorization: `Bearer ${readFileSync(bench.service.tokenFile, 'utf8').trim()}` },
  });
  expect(answer.status).toBe(200);
  return answer.text();
}
const operationCount = async () =>
  (await bench.api.request<{ items: unknown[] }>('GET', `/clusters/${bench.name}/operations?limit=100`)).items.length;

/** Names and addresses in the certificate that an API server serves. */
const servedNames = ({ address }: Machine): Promise<string[]> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: address, port: 6443, rejectUnauthorized: false }, () => {
      const names = socket.getPeerCertificate().subjectaltname ?? '';
      socket.destroy();
      resolve(names.split(', ').map((each) => each.slice(each.indexOf(':') + 1)));
    });
    socket.on('error', reject);
  });
const kubectl = (words: string) =>
  ssh(controlPlanes()[0]!, `kubectl --kubeconfig /etc/kubewright/admin.kubeconfig ${words}`);
/** When each node became Ready: another time where it was not Ready in between. */
const readySince = () =>
  kubectl(
    `get nodes -o 'jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].lastTransitionTime}{"\\n"}{end}'`,
  );
const apiServerStarts = () =>
  Promise.all(
    controlPlanes().map((each) => ssh(each, 'systemctl show -p ActiveEnterTimestampMonotonic --value kube-apiserver')),
  );

const changed = ({ tasks }: OperationStatus, phase: string): TaskStatus[] =>
  tasks.filter((task) => task.phase === phase && (task.changeCount ?? 0) > 0);
const overlaps = (tasks: readonly TaskStatus[]): string[] =>
  tasks.flatMap((a, index) =>
    tasks
      .slice(index + 1)
      .flatMap((b) => (a.startedAt! < b.endedAt! && b.startedAt! < a.endedAt! ? [`${a.host} and ${b.host}`] : [])),
  );

/** A haproxy as a user would run one, with the API servers behind it; checked by plain TCP. */
async function usersBalancer(): Promise<void> {
  const config = `defaults
  mode tcp
  timeout connect 1s
  timeout client 1h
  timeout server 1h
listen kubernetes
  bind *:8443
  default-server check inter 500ms
${controlPlanes()
  .map(({ name, address }) => `  server ${name} ${address}:6443`)
  .join('\n')}
`;
  const install = `set -e; export DEBIAN_FRONTEND=noninteractive
apt-get -q update >/dev/null; apt-get -q install --yes --no-install-recommends haproxy >/dev/null
cat >/etc/haproxy/haproxy.cfg; systemctl restart haproxy`;
  await ssh(machine(bench, 'spare-1'), install, config);
}

beforeAll(async () => {
  bench = await freshBench('kemove', { 'control-plane': 3, worker: 1, spare: 1 });
  await usersBalancer();
  await build(WAYS['host-names']!.endpoint(bench));
});
afterAll(() => bench?.end());

describe('an endpoint that leads elsewhere', () => {
  it('is refused before anything is changed: the kubelet of a node', async () => {
    const { address } = machine(bench, 'worker-1');
    const { operation } = await bench.api.request<{ operation: string }>(
      'POST',
      '/clusters',
      specOf({ provider: 'external', host: address, port: 10250 }),
    );
    const status = await bench.api.follow(bench.name, operation);
    expect(status.state).toBe('blocked');
    const errors = status.tasks.flatMap(({ error }) => error ?? []);
    expect(errors.map(({ code }) => code)).toEqual(nodes().map(() => 'ENDPOINT_LEADS_ELSEWHERE'));
    expect(errors[0]?.evidence).toMatch(/subject .*CN=system:node:worker-1.*SHA-256 fingerprint/);
    expect(status.tasks.filter(({ changeCount = 0 }) => changeCount > 0)).toEqual([]);
    await bench.api.request('POST', `/clusters/${bench.name}/cancel`, { operation });
    await bench.api.follow(bench.name, operation);
  });
});

describe('a running cluster is moved', () => {
  it.each(ORDER)('to %s: one operation, certificates before clients, nothing of the old way stays', async (to) => {
    const [from, way] = [WAYS[now]!, WAYS[to]!];
    const before = { operations: await operationCount(), ready: await readySince(), starts: await apiServerStarts() };
    const access = { ...accessOf(await kubeconfig()), server: `https://${controlPlanes()[0]!.address}:6443` };
    const client = await OutsideClient.start({ access, namespace: 'default', prefix: `to-${to}` });
    const began = new Date();

    const status = await build(way.endpoint(bench));

    const { missing, open, streams } = await client.stop();
    const gap = Math.max(streams.kept.gapMs, streams.new.gapMs);
    const took = Date.parse(status.endedAt!) - Date.parse(status.startedAt!);
    process.stdout.write(`to ${to}: build ${seconds(took)}, longest gap of the client ${seconds(gap)}\n`);
    expect({ missing, open }).toEqual({ missing: [], open: 0 });
    expect(await operationCount()).toBe(before.operations + 1);

    // Certificates first, one API server at a time, restarted only to drain or not; then node by node; the name that is not needed leaves last.
    const masters = changed(status, 'master');
    const clients = changed(status, 'nodes');
    const newNames = way.names(bench).filter((name) => !from.names(bench).includes(name));
    const restart = way.drains !== from.drains;
    const planes = controlPlanes().map(({ name }) => name);
    expect(masters.map(({ host }) => host).sort()).toEqual(newNames.length > 0 || restart ? planes : []);
    expect(overlaps(masters)).toEqual([]);
    if (!restart) expect(await apiServerStarts()).toEqual(before.starts);
    expect(clients.map(({ host }) => host).sort()).toEqual(
      nodes()
        .map(({ name }) => name)
        .sort(),
    );
    expect(overlaps(clients)).toEqual([]);
    for (const master of masters) for (const each of clients) expect(master.endedAt! <= each.startedAt!).toBe(true);
    const lastClient = clients
      .map(({ endedAt }) => endedAt!)
      .sort()
      .at(-1)!;
    for (const task of changed(status, 'cleanup')) expect(task.startedAt! >= lastClient).toBe(true);
    for (const task of changed(status, 'serving-names')) expect(task.startedAt! >= lastClient).toBe(true);

    // Every client uses the new way, and none was refused on the way there.
    for (const host of nodes()) {
      const files =
        '/etc/kubernetes/{kubelet,kube-proxy}.kubeconfig $(find /etc -name "*.kubeconfig" -path "*flannel*")';
      const servers = await ssh(host, `bash -c 'grep -h "server:" ${files} | sort -u'`);
      expect(servers.trim().replace(/^server: /, ''), host.name).toBe(way.server(bench));
      const since = began.toISOString().slice(0, 19).replace('T', ' ');
      const refused = `TZ=UTC journalctl -q --since '${since}' -u kubelet -u kube-proxy -u flanneld | grep -c 'x509' || :`;
      expect((await ssh(host, refused)).trim(), host.name).toBe('0');
    }
    expect(await readySince()).toBe(before.ready);

    // The old way is gone: names, files, units, packages.
    const oldNames = from.names(bench).filter((name) => !way.names(bench).includes(name));
    for (const host of controlPlanes()) {
      const names = await servedNames(host);
      expect(names).toEqual(expect.arrayContaining(way.names(bench)));
      expect(names.filter((name) => oldNames.includes(name))).toEqual([]);
    }
    for (const host of inCluster().filter(({ name }) => from.on(name))) {
      expect(await ssh(host, `(${from.traces}) >/dev/null 2>&1 && echo there || echo gone`), host.name).toBe('gone\n');
    }
    const { server } = accessOf(await kubeconfig());
    expect(server).toBe(
      way.names(bench).length > 0 ? way.server(bench) : `https://${controlPlanes()[0]!.address}:6443`,
    );

    const again = await build(way.endpoint(bench));
    expect(again.tasks.filter(({ changeCount = 0, attempt }) => changeCount > 0 || attempt > 1)).toEqual([]);
    now = to;
  });
});
