import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { OperationStatus, TaskStatus } from '../../contracts/operation.ts';
import { seconds } from '../e2e/figures.ts';
import { type Bench, freshBench, ssh } from '../e2e/support.ts';

/**
 * Three control planes that serve, and a client that writes 20 objects a second through the API server of the kubeconfig: options
 * of etcd and of the API server change, one member and one server at a time. Then a host fails, and the next one is not touched.
 */

/** Time between two writes of the client, ms. */
const WRITE_EVERY_MS = 50;
const ROLES = ['control-plane', 'etcd', 'worker'];

type Options = Record<string, Record<string, unknown>>;
let bench: Bench;

function specOf(phases: Options): object {
  const { spec, ...rest } = structuredClone(bench.lab.spec);
  const hosts = spec.hosts.map((host, index) => ({
    ...host,
    roles: index === 0 ? [...ROLES, 'registry', 'time-server'] : ROLES,
  }));
  return { ...rest, spec: { ...spec, hosts, phases: { ...(spec as { phases?: Options }).phases, ...phases } } };
}

async function build(phases: Options): Promise<OperationStatus> {
  const { operation } = await bench.api.request<{ operation: string }>('POST', '/clusters', specOf(phases));
  return await bench.api.follow(bench.name, operation);
}

/** Writes ConfigMaps until it is stopped; each until it is acknowledged. */
class Writer {
  private readonly server: URL;
  private readonly agent: Agent;
  private readonly acknowledged = new Map<string, number>();
  private readonly writes: Promise<void>[] = [];
  private stopped = false;
  private loop = Promise.resolve();

  constructor(kubeconfig: string) {
    const { clusters, users } = parse(kubeconfig) as {
      clusters: { cluster: Record<string, string> }[];
      users: { user: Record<string, string> }[];
    };
    const decoded = (text: string | undefined) => Buffer.from(text ?? '', 'base64');
    const { cluster } = clusters[0]!;
    const { user } = users[0]!;
    this.server = new URL(cluster['server']!);
    this.agent = new Agent({
      keepAlive: true,
      ca: decoded(cluster['certificate-authority-data']),
      cert: decoded(user['client-certificate-data']),
      key: decoded(user['client-key-data']),
    });
  }

  start(): void {
    this.loop = (async () => {
      for (let n = 0; !this.stopped; n += 1) {
        this.writes.push(this.write(`w-${n}`));
        await sleep(WRITE_EVERY_MS);
      }
    })();
  }

  /** The longest time without an acknowledged write, how many were acknowledged, and those of them that are not there. */
  async stop(): Promise<{ gapMs: number; written: number; lost: string[] }> {
    this.stopped = true;
    await this.loop;
    await Promise.all(this.writes);
    const times = [...this.acknowledged.values()].sort((a, b) => a - b);
    const gapMs = Math.max(...times.slice(1).map((at, index) => at - times[index]!));
    const { body } = await this.call('GET', '/api/v1/namespaces/default/configmaps');
    const there = new Set(
      (JSON.parse(body) as { items: { metadata: { name: string } }[] }).items.map(({ metadata }) => metadata.name),
    );
    return { gapMs, written: times.length, lost: [...this.acknowledged.keys()].filter((name) => !there.has(name)) };
  }

  private async write(name: string): Promise<void> {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } };
    for (;;) {
      const { status } = await this.call('POST', '/api/v1/namespaces/default/configmaps', object).catch(() => ({
        status: 0,
      }));
      // It is there already where an earlier answer was lost.
      if (status === 201 || status === 409) break;
      await sleep(100);
    }
    this.acknowledged.set(name, Date.now());
  }

  private call(method: string, path: string, body?: object): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const sent = request(
        new URL(path, this.server),
        { method, agent: this.agent, timeout: 2_000, headers: { 'content-type': 'application/json' } },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part: Buffer) => parts.push(part));
          answer.on('end', () =>
            resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
          );
          answer.on('error', reject);
        },
      );
      sent.on('timeout', () => sent.destroy(new Error('no answer')));
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

/** Tasks of a phase that changed something, and those pairs of them that ran at the same time. */
function changedTasks({ tasks }: OperationStatus, phase: string): { changed: string[]; together: string[] } {
  const own = tasks.filter((task) => task.phase === phase && (task.changeCount ?? 0) > 0);
  const overlap = (a: TaskStatus, b: TaskStatus) => a.startedAt! < b.endedAt! && b.startedAt! < a.endedAt!;
  const together = own.flatMap((a, index) =>
    own.slice(index + 1).flatMap((b) => (overlap(a, b) ? [`${a.host} and ${b.host}`] : [])),
  );
  return { changed: own.map(({ host }) => host).sort(), together };
}
const startOf = (host: number, unit: string) =>
  ssh(bench.lab.hosts[host]!, `systemctl show -p ActiveEnterTimestampMonotonic --value ${unit}`);

beforeAll(async () => {
  bench = await freshBench('kwro', 3);
  expect((await build({})).state).toBe('succeeded');
});
afterAll(() => bench?.end());

describe('three control planes that serve', () => {
  const names = () => bench.lab.hosts.map(({ name }) => name).sort();
  const changed: Options = {
    etcd: { heartbeatMs: 150, electionMs: 1500 },
    master: { apiServer: { extraArgs: { 'max-requests-inflight': '500' } } },
  };

  it('change one member and one API server at a time, and no write is lost', async () => {
    const answer = await fetch(`${bench.service.url}/clusters/${bench.name}/kubeconfig`, {
      headers: { authorization: `Bearer ${readFileSync(bench.service.tokenFile, 'utf8').trim()}` },
    });
    expect(answer.status).toBe(200);
    const writer = new Writer(await answer.text());
    writer.start();
    const status = await build(changed);
    const { gapMs, written, lost } = await writer.stop();
    expect(status.state).toBe('succeeded');
    for (const phase of ['etcd', 'master']) {
      expect(changedTasks(status, phase), phase).toEqual({ changed: names(), together: [] });
    }
    const took = Date.parse(status.endedAt!) - Date.parse(status.startedAt!);
    process.stdout.write(
      `rolling: build ${seconds(took)}, ${written} writes acknowledged, ${lost.length} lost, longest gap ${seconds(gapMs)}\n`,
    );
    expect(lost).toEqual([]);
  });

  it('a further build changes nothing', async () => {
    const status = await build(changed);
    expect(status.tasks.filter(({ changeCount = 0 }) => changeCount > 0)).toEqual([]);
    expect(status.tasks.filter(({ attempt }) => attempt > 1)).toEqual([]);
  });

  it('a host that fails shuts the window: at most one is changed before it, none after it', async () => {
    // Whatever order they come in, the first of these two to be changed does not come up again.
    const broken = [1, 2];
    for (const host of broken) {
      const folder = '/etc/systemd/system/kube-apiserver.service.d';
      await ssh(
        bench.lab.hosts[host]!,
        `mkdir -p ${folder} && printf '[Service]\\nExecStartPre=/bin/false\\n' >${folder}/99-test.conf`,
      );
    }
    const before = await Promise.all([0, 1, 2].map((host) => startOf(host, 'kube-apiserver')));
    const status = await build({
      ...changed,
      master: { apiServer: { extraArgs: { 'max-requests-inflight': '501' } } },
    });
    expect(status.state).toBe('blocked');
    expect(status.blockedHosts).toHaveLength(1);
    const after = await Promise.all([0, 1, 2].map((host) => startOf(host, 'kube-apiserver')));
    const untouched = broken.filter((host) => !status.blockedHosts.includes(bench.lab.hosts[host]!.name));
    expect(untouched).toHaveLength(1);
    expect(after[untouched[0]!]).toBe(before[untouched[0]!]);
    const flags = await ssh(bench.lab.hosts[untouched[0]!]!, 'cat /etc/systemd/system/kube-apiserver.service');
    expect(flags).toContain('--max-requests-inflight=500');
    await bench.api.request('POST', `/clusters/${bench.name}/cancel`, {});
  });
});
