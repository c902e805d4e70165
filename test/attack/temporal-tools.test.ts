import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { clusterWorkflowId, NAMESPACE, operationWorkflowId, TASK_QUEUES } from '../../contracts/messages.ts';
import { EMBEDDED, type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** C of the trust issue: what Temporal's own tools can do for a client with access to its port: schedules, resets, workers on our queues. */

const CLUSTER = 'tooled';
/** In the spec, or in results: what a reader of payloads would look for. */
const WORDS = ['silent-login', '127.0.0.1', 'evidence'];
const TIMEOUT = { timeout: 90_000, interval: 300 };

let api: ServiceProcess;
let silent: Server;
let connection: Connection;
let plain: Client;
let id: string;
let run: string;

beforeAll(async () => {
  silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  api = await startServiceProcess({ ...EMBEDDED });
  const { port } = JSON.parse(readFileSync(join(api.dataDir, 'temporal/server.json'), 'utf8')) as { port: number };
  connection = await Connection.connect({ address: `127.0.0.1:${port}` });
  plain = new Client({ connection, namespace: NAMESPACE });
  await api.call('PUT', '/credentials/silent-login', { body: { kind: 'password', password: 'unused-here' } });
});
afterAll(async () => {
  await connection?.close();
  await api?.close();
  silent?.close();
});

async function build(): Promise<string> {
  const body = {
    apiVersion: 'kubewright.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: CLUSTER },
    spec: {
      hosts: [{ name: 'cp-1', address: '127.0.0.1', roles: ['control-plane', 'etcd', 'worker'] }],
      ssh: { port: (silent.address() as { port: number }).port, user: 'root', credential: { name: 'silent-login' } },
    },
  };
  const { status, text } = await api.call('POST', '/clusters', { body });
  expect(status, text).toBe(202);
  return (JSON.parse(text) as { operation: string }).operation;
}
interface Seen {
  state: string;
  actor: string;
  error?: { code: string };
  tasks: { state: string; error?: { code: string } }[];
}
const operation = async (): Promise<Seen> => {
  const { status, text } = await api.call('GET', `/clusters/${CLUSTER}/operations/${id}`);
  expect(status, text).toBe(200);
  return JSON.parse(text) as Seen;
};
const operations = async () =>
  (JSON.parse((await api.call('GET', `/clusters/${CLUSTER}/operations`)).text) as { items: unknown[] }).items.length;
const historyOf = async (workflowId: string) => {
  const execution = { workflowId };
  const { history } = await connection.workflowService.getWorkflowExecutionHistory({ namespace: NAMESPACE, execution });
  return history!.events!;
};
/** What the last run of a workflow ended with. */
const failureOf = async (workflowId: string) =>
  (await historyOf(workflowId)).at(-1)?.workflowExecutionFailedEventAttributes?.failure?.applicationFailureInfo?.type;
/** Everything in a message of Temporal's, bytes as text. */
const textOf = (message: object): string =>
  JSON.stringify(message, (_key, value: unknown) =>
    value instanceof Uint8Array
      ? Buffer.from(value).toString('latin1')
      : typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value
        ? Buffer.from(value.data as number[]).toString('latin1')
        : value,
  );

/** A task that a foreign worker has taken. */
async function stolenTask() {
  const { workflowService } = connection;
  const enough = new AbortController();
  const poll = async () => {
    const request = { namespace: NAMESPACE, taskQueue: { name: TASK_QUEUES.ssh }, identity: 'mallory' };
    const found = await connection.withAbortSignal(enough.signal, () =>
      connection.withDeadline(Date.now() + 60_000, () => workflowService.pollActivityTaskQueue(request)),
    );
    if (!found.taskToken || found.taskToken.length === 0) throw new Error('no task');
    return found;
  };
  // Where our worker takes the first task, there is a next operation, and polls of an earlier attempt may take its task. Many more
  // at once are over a limit of the server: the client repeats them later, and none of them waits there.
  const polls: ReturnType<typeof poll>[] = [];
  for (let attempt = 1; ; attempt += 1) {
    polls.push(...Array.from({ length: 8 }, poll));
    const first = Promise.any(polls);
    first.catch(() => undefined);
    // All of them wait at the server before there is a task.
    await sleep(1_000);
    id = await build();
    run = operationWorkflowId(CLUSTER, id);
    const task = await Promise.race([first, sleep(6_000, null)]);
    if (task) {
      enough.abort();
      return task;
    }
    if (attempt === 12) throw new Error('our worker took the first task of each operation');
    expect((await api.call('POST', `/clusters/${CLUSTER}/cancel`, { body: {} })).status).toBe(202);
    await vi.waitFor(async () => expect((await operation()).state).toBe('cancelled'), TIMEOUT);
  }
}

describe('a foreign worker on our task queues', () => {
  it('gets tasks that it cannot read, and what it answers is refused', async () => {
    const { workflowService } = connection;
    const task = await stolenTask();
    expect(task.workflowExecution?.workflowId).toBe(run);
    const seen = textOf(task);
    // Ids are in clear (docs/security.md, Temporal), so the name of the host is.
    for (const word of [...WORDS, 'unused-here', 'credential', 'specRef']) expect(seen).not.toContain(word);
    const result = { changes: [], changeCount: 0, restarts: [], commands: 0, durationMs: 1, commandMs: 1 };
    await workflowService.respondActivityTaskCompleted({
      namespace: NAMESPACE,
      taskToken: task.taskToken,
      result: { payloads: [json(result)] },
    });
    const blocked = await vi.waitFor(async () => {
      const now = await operation();
      expect(now.state).toBe('blocked');
      return now;
    }, TIMEOUT);
    expect(blocked.tasks.flatMap(({ error }) => error?.code ?? [])).toContain('COMMAND_REFUSED');
    const history = textOf(await historyOf(run));
    for (const word of WORDS) expect(history).not.toContain(word);
  });
});

describe('a schedule', () => {
  it.each([
    ['operation', () => run],
    ['cluster', () => clusterWorkflowId(CLUSTER)],
  ])('starts no %s: with an input of its own or a copied one, nothing runs', async (type, of) => {
    const before = await operations();
    const start = (await historyOf(of()))[0]!.workflowExecutionStartedEventAttributes!;
    for (const payloads of [
      start.input!.payloads as Payload[],
      [json({ cluster: CLUSTER, actor: { role: 'admin' } })],
    ]) {
      const scheduleId = `mallory-${randomUUID()}`;
      await connection.workflowService.createSchedule({
        namespace: NAMESPACE,
        scheduleId,
        requestId: randomUUID(),
        schedule: {
          spec: {},
          action: {
            startWorkflow: {
              workflowId: scheduleId,
              workflowType: { name: type },
              taskQueue: { name: TASK_QUEUES.workflows },
              input: { payloads },
            },
          },
        },
        initialPatch: { triggerImmediately: {} },
      });
      const started = await vi.waitFor(async () => {
        // Not by the client: it opens the input, which is sealed.
        const { info } = await connection.workflowService.describeSchedule({ namespace: NAMESPACE, scheduleId });
        const workflowId = info?.recentActions?.[0]?.startWorkflowResult?.workflowId;
        expect(workflowId).toBeTruthy();
        return workflowId!;
      }, TIMEOUT);
      await vi.waitFor(async () => expect(await failureOf(started)).toBe('COMMAND_REFUSED'), TIMEOUT);
      await plain.schedule.getHandle(scheduleId).delete();
    }
    expect(await operations()).toBe(before);
    expect((await operation()).state).toBe('blocked');
  });
});

describe('a reset', () => {
  it('of an ended operation begins nothing again', async () => {
    const before = await operations();
    expect((await api.call('POST', `/clusters/${CLUSTER}/cancel`, { body: {} })).status).toBe(202);
    await vi.waitFor(async () => expect((await operation()).state).toBe('cancelled'), TIMEOUT);
    const finish = (await historyOf(run)).find(({ workflowTaskCompletedEventAttributes: done }) => done)!;
    const { runId } = await connection.workflowService.resetWorkflowExecution({
      namespace: NAMESPACE,
      workflowExecution: { workflowId: run },
      reason: 'by mallory',
      requestId: randomUUID(),
      workflowTaskFinishEventId: finish.eventId!,
    });
    expect(runId).toBeTruthy();
    // Its tasks are refused, for the operation is closed; so it ends by itself, without a result for a client.
    await vi.waitFor(async () => {
      const { workflowExecutionInfo } = await connection.workflowService.describeWorkflowExecution({
        namespace: NAMESPACE,
        execution: { workflowId: run, runId },
      });
      expect(workflowExecutionInfo?.status).not.toBe(1);
    }, TIMEOUT);
    const refused = await historyOf(run);
    expect(textOf(refused)).toContain('COMMAND_REFUSED');
    expect(await operation()).toMatchObject({ state: 'cancelled' });
    expect(await operations()).toBe(before);
  });

  it('leaves the service as it was: the cluster takes commands of the API', async () => {
    const { status, text } = await api.call('POST', `/clusters/${CLUSTER}/operations`, { body: { kind: 'build' } });
    expect(status, text).toBe(202);
    id = (JSON.parse(text) as { operation: string }).operation;
    await vi.waitFor(async () => expect((await operation()).state).not.toBe('queued'), TIMEOUT);
    expect((await api.call('POST', `/clusters/${CLUSTER}/cancel`, { body: {} })).status).toBe(202);
    await vi.waitFor(async () => expect((await operation()).state).toBe('cancelled'), TIMEOUT);
  });
});

function json(value: unknown): Payload {
  return { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(value)) };
}
