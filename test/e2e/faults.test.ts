import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OperationStatus, TaskStatus } from '../../contracts/operation.ts';
import { startSshd, stopSshd } from '../../lab/faults.ts';
import { recordedWorker } from '../../worker/data-dir.ts';
import { type Bench, freshBench, ssh } from './support.ts';

/** Wait until the operation says what the predicate asks for. */
async function until(
  bench: Bench,
  operation: string,
  predicate: (status: OperationStatus) => boolean,
): Promise<OperationStatus> {
  for (;;) {
    const status = await bench.api.operation(bench.name, operation);
    if (predicate(status)) return status;
    if (['succeeded', 'failed', 'cancelled'].includes(status.state))
      throw new Error(`ended as ${status.state} before that`);
    await sleep(100);
  }
}

const nameOf = (task: TaskStatus) => `${task.phase} on ${task.host}`;
const finished = (status: OperationStatus) => status.tasks.filter((task) => task.state === 'succeeded').map(nameOf);

describe('a worker killed in mid-build', () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await freshBench('kwf');
  });
  afterAll(() => bench.end());

  it('finishes by itself after a restart, and no finished task runs again', async () => {
    const { operation } = await bench.api.request<{ operation: string }>('POST', '/clusters', bench.lab.spec);
    const before = await until(bench, operation, (status) => {
      const phases = new Set(status.tasks.filter((task) => task.state === 'succeeded').map((task) => task.phase));
      return phases.has('etcd') && status.tasks.some((task) => task.state === 'running');
    });
    const done = finished(before);
    expect(done.length).toBeGreaterThan(3);
    // Both at once: a worker that only lost its API would end its tasks in order.
    for (const pid of [recordedWorker(join(bench.folder, 'data'))!.pid, bench.service.pid])
      process.kill(pid, 'SIGKILL');
    const killedAt = Date.now();
    await sleep(1_000);
    await bench.restart();

    const after = await bench.api.follow(bench.name, operation);
    expect(after.state).toBe('succeeded');
    const commands = await bench.api.commands(bench.name, { operation });
    const repeated = commands
      .filter((command) => Date.parse(command.startedAt) > killedAt)
      .map((command) => `${command.phase} on ${command.host}`)
      .filter((name) => done.includes(name));
    expect(repeated).toEqual([]);
    const nodes = await ssh(
      bench.lab.hosts[0]!,
      'kubectl --kubeconfig /etc/kubewright/admin.kubeconfig get nodes --no-headers',
    );
    expect(
      nodes
        .trim()
        .split('\n')
        .filter((line) => / Ready /.test(line)),
    ).toHaveLength(3);
  });
});

describe('a host whose sshd stops during a build', () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await freshBench('kwf');
  });
  afterAll(() => bench.end());

  it('is blocked with a named cause while the others go on, and a retry finishes the build', async () => {
    const lost = bench.lab.hosts[2]!.name;
    const { operation } = await bench.api.request<{ operation: string }>('POST', '/clusters', bench.lab.spec);
    await until(bench, operation, (status) =>
      status.tasks.some((task) => task.host === lost && task.phase === 'prepare' && task.state === 'succeeded'),
    );
    await stopSshd(bench.lab, lost);
    const blocked = await until(bench, operation, (status) => status.state === 'blocked');
    expect(blocked.blockedHosts).toEqual([lost]);
    const causes = blocked.tasks.filter((task) => task.state === 'blocked').map((task) => task.error?.code);
    expect(causes.length).toBeGreaterThan(0);
    for (const cause of causes) expect(['SSH_UNREACHABLE', 'SSH_CONNECTION_LOST']).toContain(cause);
    // The others did everything that does not need the lost host.
    for (const phase of ['etcd', 'master', 'runtime']) {
      const tasks = blocked.tasks.filter((task) => task.phase === phase && task.host !== lost);
      expect(tasks.map((task) => task.state)).toEqual(tasks.map(() => 'succeeded'));
    }
    const done = finished(blocked);

    await startSshd(bench.lab, lost);
    const decidedAt = Date.now();
    await bench.api.request('POST', `/clusters/${bench.name}/hosts/${lost}/retry`, {});
    const after = await bench.api.follow(bench.name, operation, () => undefined, ['succeeded', 'failed', 'cancelled']);
    expect(after.state).toBe('succeeded');
    const commands = await bench.api.commands(bench.name, { operation });
    const repeated = commands
      .filter((command) => Date.parse(command.startedAt) > decidedAt)
      .map((command) => `${command.phase} on ${command.host}`)
      .filter((name) => done.includes(name));
    expect(repeated).toEqual([]);
  });
});
