import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterWorkflowId, NAMESPACE, operationWorkflowId, TASK_QUEUES } from '../../contracts/messages.ts';
import type { JournalEntry } from '../../contracts/record.ts';
import { EMBEDDED, type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** C of the trust issue: the attacker has Temporal's port, a plain client, and whatever histories show; never our keys. */

const CLUSTER = 'victim';
const OTHER = 'other';
const MALLORY = { name: 'mallory-as-admin', role: 'admin' };

let api: ServiceProcess;
let silent: Server;
let connection: Connection;
let plain: Client;

beforeAll(async () => {
  // An SSH server that accepts and says nothing: tasks run for some seconds, then their host is blocked.
  silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  api = await startServiceProcess({ ...EMBEDDED });
  const { port } = JSON.parse(readFileSync(join(api.dataDir, 'temporal/server.json'), 'utf8')) as { port: number };
  connection = await Connection.connect({ address: `127.0.0.1:${port}` });
  plain = new Client({ connection, namespace: NAMESPACE });
});
afterAll(async () => {
  await connection?.close();
  await api?.close();
  silent?.close();
});

const spec = (name: string, address: string) => ({
  apiVersion: 'kubewright.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name },
  spec: {
    hosts: [{ name: 'cp-1', address, roles: ['control-plane', 'etcd', 'worker'] }],
    ssh: { port: (silent.address() as { port: number }).port, user: 'root', credential: { name: 'login' } },
  },
});

async function build(name: string, address: string): Promise<string> {
  await api.call('PUT', '/credentials/login', { body: { kind: 'password', password: 'unused-here' } });
  const { status, text } = await api.call('POST', '/clusters', { body: spec(name, address) });
  expect(status, text).toBe(202);
  return (JSON.parse(text) as { operation: string }).operation;
}
interface Seen {
  state: string;
  actor: string;
  error?: { code: string };
  blockedHosts: string[];
}
async function operation(cluster: string, id: string): Promise<Seen> {
  const { status, text } = await api.call('GET', `/clusters/${cluster}/operations/${id}`);
  expect(status, text).toBe(200);
  return JSON.parse(text) as Seen;
}
async function until<T>(look: () => Promise<T>, wish: (seen: T) => boolean): Promise<T> {
  const deadline = Date.now() + 90_000;
  for (;;) {
    const seen = await look();
    if (wish(seen)) return seen;
    if (Date.now() > deadline)
      throw new Error(`waited in vain; last seen ${JSON.stringify(seen)}\n${api.log().slice(-3000)}`);
    await sleep(200);
  }
}
const state = (cluster: string, id: string, ...wished: string[]) =>
  until(
    () => operation(cluster, id),
    (seen) => wished.includes(seen.state),
  );

/** Refused messages in the journal, of clusters and of the installation. */
async function refusals(): Promise<JournalEntry[]> {
  const pages = await Promise.all(
    [`/clusters/${CLUSTER}/history`, '/audit/history'].map(async (path) => {
      const { status, text } = await api.call('GET', `${path}?order=newest&limit=200`);
      return status === 200 ? (JSON.parse(text) as { items: JournalEntry[] }).items : [];
    }),
  );
  return pages.flat().filter(({ argv, kind }) => kind === 'request' && argv[0] === 'temporal');
}
/** A record of the refusal without an actor, for any claimed name. */
async function recorded(message: string, workflowId: string): Promise<JournalEntry> {
  const found = await until(refusals, (all) => all.some(({ argv }) => argv[1] === message && argv[2] === workflowId));
  const record = found.find(({ argv }) => argv[1] === message && argv[2] === workflowId)!;
  expect(record).toMatchObject({ kind: 'request', actor: 'anonymous', result: 'refused', error: 'COMMAND_REFUSED' });
  return record;
}
/** The type of the failure that a workflow's last run ended with. */
async function failureOf(workflowId: string): Promise<string | null | undefined> {
  const last = await until(
    async () => (await historyOf(workflowId)).at(-1)?.workflowExecutionFailedEventAttributes,
    (failed) => failed !== undefined && failed !== null,
  );
  return last?.failure?.applicationFailureInfo?.type;
}

/** An update with payloads exactly as given: unsealed, or copied. */
const rawUpdate = async (workflowId: string, name: string, payloads: Payload[]): Promise<string> => {
  const answer = await connection.workflowService.updateWorkflowExecution({
    namespace: NAMESPACE,
    workflowExecution: { workflowId },
    waitPolicy: { lifecycleStage: 3 },
    request: { meta: { updateId: randomUUID(), identity: 'mallory' }, input: { name, args: { payloads } } },
  });
  const { failure, success } = answer.outcome ?? {};
  return failure ? (failure.applicationFailureInfo?.type ?? 'untyped') : success ? 'taken' : 'unanswered';
};
async function historyOf(workflowId: string) {
  const { history } = await connection.workflowService.getWorkflowExecutionHistory({
    namespace: NAMESPACE,
    execution: { workflowId },
  });
  return history!.events!;
}
/** The payloads of the first event that has what `pick` looks for. */
async function copied(
  workflowId: string,
  pick: (event: Awaited<ReturnType<typeof historyOf>>[number]) => Payload[] | null | undefined,
): Promise<Payload[]> {
  const found = await until(
    async () => (await historyOf(workflowId)).map(pick).find((payloads) => payloads && payloads.length > 0),
    (payloads) => payloads !== undefined,
  );
  return found!;
}

/** A workflow of the attacker's, on his own queue, that has one activity scheduled; how that activity ended. */
async function scheduleBy(
  workflowId: string,
  activity: { type: string; id: string; queue: string; payloads: Payload[] },
): Promise<string> {
  const queue = `mallory-${randomUUID()}`;
  const { workflowService } = connection;
  await workflowService.startWorkflowExecution({
    namespace: NAMESPACE,
    workflowId,
    // Named as ours: types are only names.
    workflowType: { name: 'operation' },
    taskQueue: { name: queue },
    requestId: randomUUID(),
    workflowIdReusePolicy: 1,
  });
  const task = await connection.withDeadline(Date.now() + 60_000, () =>
    workflowService.pollWorkflowTaskQueue({ namespace: NAMESPACE, taskQueue: { name: queue } }),
  );
  await workflowService.respondWorkflowTaskCompleted({
    namespace: NAMESPACE,
    taskToken: task.taskToken!,
    commands: [
      {
        commandType: 1,
        scheduleActivityTaskCommandAttributes: {
          activityId: activity.id,
          activityType: { name: activity.type },
          taskQueue: { name: activity.queue },
          input: { payloads: activity.payloads },
          startToCloseTimeout: { seconds: 60 as never, nanos: 0 },
          retryPolicy: { maximumAttempts: 1 },
        },
      },
    ],
  });
  const ended = await until(
    async () =>
      (await historyOf(workflowId)).find(
        (event) => event.activityTaskCompletedEventAttributes ?? event.activityTaskFailedEventAttributes,
      ),
    (event) => event !== undefined,
  );
  await workflowService.terminateWorkflowExecution({
    namespace: NAMESPACE,
    workflowExecution: { workflowId },
    reason: 'done',
  });
  return ended!.activityTaskFailedEventAttributes?.failure?.applicationFailureInfo?.type ?? 'ran';
}

describe('a client with access to the port of Temporal', () => {
  let id: string;
  let entity: string;
  let run: string;
  beforeAll(async () => {
    id = await build(CLUSTER, '127.0.0.1');
    entity = clusterWorkflowId(CLUSTER);
    run = operationWorkflowId(CLUSTER, id);
  });

  it('cannot complete a running task with a result of his own', async () => {
    const pending = await until(
      async () => {
        const { pendingActivities } = await plain.workflowService.describeWorkflowExecution({
          namespace: NAMESPACE,
          execution: { workflowId: run },
        });
        return pendingActivities?.find(({ activityType }) => activityType?.name === 'preflight');
      },
      (found) => found !== undefined,
    );
    const result = { changes: [], changeCount: 0, restarts: [], commands: 0, durationMs: 1, commandMs: 1 };
    await connection.workflowService.respondActivityTaskCompletedById({
      namespace: NAMESPACE,
      workflowId: run,
      activityId: pending!.activityId!,
      result: { payloads: [json(result)] },
    });
    const { blockedHosts } = await state(CLUSTER, id, 'blocked');
    expect(blockedHosts).toEqual(['cp-1']);
    const { text } = await api.call('GET', `/clusters/${CLUSTER}/operations/${id}`);
    expect(text).toContain('COMMAND_REFUSED');
    await recorded('result/preflight', run);
  });

  it.each(['submitOperation', 'cancelOperation'])(
    'cannot give the cluster a command that is not sealed: %s',
    async (name) => {
      const asked = { actor: MALLORY, requestId: 'forged', kind: 'teardown', mode: 'apply', specRef: 'a'.repeat(64) };
      expect(await rawUpdate(entity, name, [json(asked)])).toBe('COMMAND_REFUSED');
      const record = await recorded(`update/${name}`, entity);
      expect(record.argv).toContain('claims to be mallory-as-admin');
      expect(record.cluster).toBe(CLUSTER);
    },
  );

  it.each(['pause', 'resume', 'decide', 'amend'])('cannot give the operation one either: %s', async (name) => {
    const command = { actor: MALLORY, requestId: 'forged', mode: 'drain', items: [], host: 'cp-1' };
    expect(await rawUpdate(run, name, [json(command)])).toBe('COMMAND_REFUSED');
    await recorded(`update/${name}`, run);
  });

  it('cannot start an entity for another cluster with an unsealed command', async () => {
    const handle = await plain.workflow.signalWithStart('cluster', {
      workflowId: clusterWorkflowId(OTHER),
      taskQueue: TASK_QUEUES.workflows,
      args: [{ cluster: OTHER }],
      signal: 'operationEvent',
      signalArgs: [{ operationId: 'x', state: 'running', blockedHosts: [], quarantine: [] }],
    });
    expect(await failureOf(handle.workflowId)).toBe('COMMAND_REFUSED');
    await recorded('start/cluster', clusterWorkflowId(OTHER));
  });

  it('cannot reuse a signed message of another sender, at another place or as another message', async () => {
    const submitted = await copied(
      entity,
      (event) =>
        event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input?.args?.payloads as Payload[],
    );
    // As another command of the same cluster, and at another workflow.
    expect(await rawUpdate(entity, 'cancelOperation', submitted)).toBe('COMMAND_REFUSED');
    expect(await rawUpdate(run, 'pause', submitted)).toBe('COMMAND_REFUSED');
    // As itself it is the same submission: no second operation.
    const before = JSON.parse((await api.call('GET', `/clusters/${CLUSTER}/operations`)).text) as { items: unknown[] };
    await rawUpdate(entity, 'submitOperation', submitted);
    const after = JSON.parse((await api.call('GET', `/clusters/${CLUSTER}/operations`)).text) as { items: unknown[] };
    expect(after.items).toHaveLength(before.items.length);
    expect((await operation(CLUSTER, id)).state).toBe('blocked');
  });

  it('cannot take a command a second time under another update id', async () => {
    expect((await api.call('POST', `/clusters/${CLUSTER}/pause`, { body: { mode: 'drain' } })).status).toBe(202);
    const paused = await copied(run, (event) => {
      const request = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest;
      return request?.input?.name === 'pause' ? (request.input.args?.payloads as Payload[]) : undefined;
    });
    expect((await api.call('POST', `/clusters/${CLUSTER}/resume`, { body: {} })).status).toBe(202);
    expect(await rawUpdate(run, 'pause', paused)).toBe('COMMAND_REFUSED');
    expect((await recorded('update/pause', run)).result).toBe('refused');
    await state(CLUSTER, id, 'blocked');
  });

  it('cannot have anything sealed by an operator that counts as a command', async () => {
    const made = await api.call('POST', '/tokens', { body: { name: 'op', role: 'operator' } });
    const { token } = JSON.parse(made.text) as { token: string };
    const wire = {
      metadata: { encoding: Buffer.from('json/plain').toString('base64') },
      data: Buffer.from(
        JSON.stringify({ actor: MALLORY, requestId: 'x', mode: 'drain', stamp: { message: 'update/pause' } }),
      ).toString('base64'),
    };
    const { status, text } = await api.call('POST', '/codec/encode', { token, body: { payloads: [wire] } });
    expect(status, text).toBe(200);
    const [sealed] = (JSON.parse(text) as { payloads: { metadata: Record<string, string>; data: string }[] }).payloads;
    const bytes = (base64: string) => Buffer.from(base64, 'base64');
    const payload: Payload = {
      metadata: Object.fromEntries(Object.entries(sealed!.metadata).map(([name, value]) => [name, bytes(value)])),
      data: bytes(sealed!.data),
    };
    expect(await rawUpdate(run, 'pause', [payload])).toBe('COMMAND_REFUSED');
  });

  it('cannot signal the operation, with own or with copied messages', async () => {
    const handle = plain.workflow.getHandle(run);
    await handle.signal('cancel', { actor: MALLORY, requestId: 'forged' });
    await recorded('signal/cancel', run);
    const input = await copied(
      run,
      (event) => event.workflowExecutionStartedEventAttributes?.input?.payloads as Payload[],
    );
    await connection.workflowService.signalWorkflowExecution({
      namespace: NAMESPACE,
      workflowExecution: { workflowId: run },
      signalName: 'cancel',
      input: { payloads: input },
    });
    await until(refusals, (all) => all.filter(({ argv }) => argv[1] === 'signal/cancel').length >= 2);
    expect((await operation(CLUSTER, id)).state).toBe('blocked');
  });

  it('gets no answer to a query with arguments of his own', async () => {
    await expect(plain.workflow.getHandle(entity).query('status', { as: MALLORY })).rejects.toThrow();
  });

  it('cannot run a task: by a workflow of his own, with an input of his own or a copied one', async () => {
    const task = await until(
      async () =>
        (await historyOf(run)).find(
          ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name === 'preflight',
        )?.activityTaskScheduledEventAttributes,
      (found) => found !== undefined,
    );
    const own = { cluster: CLUSTER, operationId: id, phase: 'teardown', host: 'cp-1', mode: 'apply' };
    const mine = `mallory-${randomUUID()}`;
    const [type, queue] = ['preflight', TASK_QUEUES.ssh];
    expect(await scheduleBy(mine, { type, id: '1', queue, payloads: [json(own)] })).toBe('COMMAND_REFUSED');
    const stolen = task!.input!.payloads as Payload[];
    expect(await scheduleBy(mine, { type, id: task!.activityId!, queue, payloads: stolen })).toBe('COMMAND_REFUSED');
    const control = { type: 'closeOperation', id: '1', queue: TASK_QUEUES.control };
    expect(await scheduleBy(mine, { ...control, payloads: [json({ ...own, status: {} })] })).toBe('COMMAND_REFUSED');
    await recorded('activity/preflight', mine);
    await recorded('activity/closeOperation', mine);
    expect((await operation(CLUSTER, id)).state).toBe('blocked');
  });

  it('can end an operation in Temporal, and the journal records that no request asked for it', async () => {
    await plain.workflow.getHandle(run).cancel();
    const ended = await state(CLUSTER, id, 'cancelled');
    expect(ended.error).toMatchObject({ code: 'ENDED_OUTSIDE' });
    const { text } = await api.call('GET', `/clusters/${CLUSTER}/history?operation=${id}&kind=operation&order=newest`);
    const [close] = (JSON.parse(text) as { items: JournalEntry[] }).items;
    expect(close).toMatchObject({ actor: 'anonymous', error: 'ENDED_OUTSIDE', result: 'failed' });
    expect(close!.argv.slice(0, 2)).toEqual(['close', 'cancelled']);
  });

  it('cannot begin an ended operation again: started once more, or by a run of his own with the same id', async () => {
    const events = await historyOf(run);
    const input = events[0]!.workflowExecutionStartedEventAttributes!.input!;
    await connection.workflowService.startWorkflowExecution({
      namespace: NAMESPACE,
      workflowId: run,
      workflowType: { name: 'operation' },
      taskQueue: { name: TASK_QUEUES.workflows },
      requestId: randomUUID(),
      workflowIdReusePolicy: 1,
      input,
    });
    expect(await failureOf(run)).toBe('COMMAND_REFUSED');
    await recorded('start/operation', run);
    const scheduled = events.find(
      ({ activityTaskScheduledEventAttributes: task }) => task?.activityType?.name === 'preflight',
    )!.activityTaskScheduledEventAttributes!;
    const again = { type: 'preflight', id: scheduled.activityId!, queue: TASK_QUEUES.ssh };
    expect(await scheduleBy(run, { ...again, payloads: scheduled.input!.payloads as Payload[] })).toBe(
      'COMMAND_REFUSED',
    );
    expect((await operation(CLUSTER, id)).state).toBe('cancelled');
  });

  it('terminates an operation, which is recorded as ended by no request', async () => {
    const second = await build('second', '127.0.0.2');
    await until(
      () => operation('second', second),
      (seen) => seen.state !== 'queued',
    );
    await plain.workflow.getHandle(operationWorkflowId('second', second)).terminate('by mallory');
    expect((await state('second', second, 'failed')).error).toMatchObject({ code: 'ENDED_OUTSIDE' });
  });

  it('leaves the service as it was: the cluster takes commands of the API', async () => {
    const { status, text } = await api.call('POST', `/clusters/${CLUSTER}/operations`, { body: { kind: 'build' } });
    expect(status, text).toBe(202);
    const { operation: third } = JSON.parse(text) as { operation: string };
    await until(
      () => operation(CLUSTER, third),
      (seen) => seen.state !== 'queued',
    );
    expect((await api.call('POST', `/clusters/${CLUSTER}/cancel`, { body: {} })).status).toBe(202);
    expect((await state(CLUSTER, third, 'cancelled')).error).toBeUndefined();
  });
});

function json(value: unknown): Payload {
  return { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(value)) };
}
