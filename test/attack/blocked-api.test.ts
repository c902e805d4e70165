import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { ApiClient } from '../../cli/dev/api-client.ts';
import { NAMESPACE, operationWorkflowId } from '../../contracts/messages.ts';
import { execInHost } from '../../lab/faults.ts';
import { labDown, labUp } from '../../lab/lab.ts';
import type { Lab } from '../../lab/types.ts';
import type { Store } from '../../store/index.ts';
import { readRecord } from '../../worker/temporal-server/server-record.ts';
import { EMBEDDED, type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** Issue 9, B2: heartbeats and workflow tasks of the embedded mode do not depend on the API's event loop. */

/** How long the API process stands still, ms. */
const BLOCKED_MS = 60_000;
/** The shortest heartbeat timeout there is, ms: the stop is twelve of them. */
const HEARTBEAT_MS = 5_000;
/** The first command of the build is held for this long, ms: four heartbeat timeouts, below the command's own 30 s. */
const HELD_MS = 20_000;
const HOST = 'cp-1';
const HOLD = '/run/kubewright-test-hold';
const SOON = { timeout: 120_000, interval: 200 };

let lab: Lab;
let service: ServiceProcess;
let store: Store;

beforeAll(async () => {
  [lab, service] = await Promise.all([
    // A host of its own: the build changes it.
    labUp({ name: inject('lab').name.replace('kwt', 'kwh'), hosts: 1, mirror: false }),
    startServiceProcess({ ...EMBEDDED, KUBEWRIGHT_HEARTBEAT_TIMEOUT_MS: String(HEARTBEAT_MS) }),
  ]);
  store = await service.openStore();
});
afterAll(async () => {
  await store?.close();
  await service?.close();
  if (lab) await labDown(lab.name);
});

/** Makes a program of the host wait while a file is there. */
async function hold(program: string, file: string): Promise<void> {
  const script = `#!/bin/sh\nwhile [ -e ${file} ]; do sleep 0.2; done\nexec /usr/bin/${program} "$@"\n`;
  const argv = ['sh', '-c', `touch ${file}; cat >/usr/local/bin/${program}; chmod 755 /usr/local/bin/${program}`];
  const { code, stderr } = await execInHost(lab, HOST, argv, { input: script });
  expect(code, stderr).toBe(0);
}

const letGo = (file: string) => execInHost(lab, HOST, ['rm', '-f', file]);

it('no heartbeat and no task is lost while the API process stands still for a minute', async () => {
  // Preflight asks `df` for free space, the next phase installs packages.
  await hold('df', `${HOLD}-df`);
  await hold('apt-get', `${HOLD}-apt`);
  const api = new ApiClient(service.url, service.adminToken);
  const { operation } = await api.request<{ operation: string }>('POST', '/clusters', lab.spec);
  const task = async (phase: string) =>
    (await store.projections.operation(lab.name, operation))?.tasks.find((each) => each.phase === phase)?.state;
  await vi.waitFor(async () => expect(await task('preflight')).toBe('running'), SOON);

  process.kill(service.pid, 'SIGSTOP');
  const until = Date.now() + BLOCKED_MS;
  try {
    await sleep(HELD_MS);
    expect(await task('preflight')).toBe('running');
    await letGo(`${HOLD}-df`);
    // The end of a task, the workflow's next step and the start of the next task: all of it without the API.
    await vi.waitFor(async () => {
      expect(await task('preflight')).toBe('succeeded');
      expect(await task('prepare')).toBe('running');
    }, SOON);
    await sleep(Math.max(0, until - Date.now()));
    // The API is really blocked: a request is not answered.
    await expect(fetch(`${service.url}/healthz`, { signal: AbortSignal.timeout(500) })).rejects.toThrow();
    expect(await attempts(operation)).toEqual({ lost: [], repeated: [] });
    expect(await task('prepare')).toBe('running');
  } finally {
    process.kill(service.pid, 'SIGCONT');
  }
  // The API is back, with what happened meanwhile.
  await vi.waitFor(async () => {
    const { tasks } = await api.operation(lab.name, operation);
    expect(tasks.find(({ phase }) => phase === 'preflight')?.state).toBe('succeeded');
  }, SOON);
  await vi.waitFor(async () => expect((await fetch(`${service.url}/readyz`)).status).toBe(200), SOON);
  expect(await attempts(operation)).toEqual({ lost: [], repeated: [] });
  await letGo(`${HOLD}-apt`);
  await api.request('POST', `/clusters/${lab.name}/cancel`, {});
}, 400_000);

/** What Temporal itself knows of lost heartbeats and tasks of an operation. */
async function attempts(operation: string): Promise<{ lost: string[]; repeated: string[] }> {
  const { port } = readRecord(`${service.dataDir}/temporal`)!;
  const connection = await Connection.connect({ address: `127.0.0.1:${port}` });
  try {
    const handle = new Client({ connection, namespace: NAMESPACE }).workflow.getHandle(
      operationWorkflowId(lab.name, operation),
    );
    const [history, description] = await Promise.all([handle.fetchHistory(), handle.describe()]);
    const lost = (history.events ?? []).flatMap((event) =>
      event.activityTaskTimedOutEventAttributes || event.workflowTaskTimedOutEventAttributes
        ? [`event ${String(event.eventId)}`]
        : [],
    );
    const started = (history.events ?? []).flatMap(({ activityTaskStartedEventAttributes }) =>
      activityTaskStartedEventAttributes ? [activityTaskStartedEventAttributes.attempt ?? 1] : [],
    );
    const pending = (description.raw.pendingActivities ?? []).map(({ attempt }) => attempt ?? 1);
    // The heartbeat is what keeps the held tasks from being given to another worker.
    expect(started.length + pending.length).toBeGreaterThan(0);
    return { lost, repeated: [...started, ...pending].filter((attempt) => attempt > 1).map(String) };
  } finally {
    await connection.close();
  }
}
