import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from '@prometheus-io/client';
import { Client, Connection } from '@temporalio/client';
import pino from 'pino';
import { createActivityDeps } from '../../../activities/deps.ts';
import { createActivities } from '../../../activities/index.ts';
import { ensureAdminToken } from '../../../api/admin-token.ts';
import { buildApp } from '../../../api/app.ts';
import { createBundleBuilder } from '../../../api/bundle-builder.ts';
import { createReadiness } from '../../../api/readiness/readiness.ts';
import { temporalGateway } from '../../../api/temporal-client.ts';
import { openSigner } from '../../../audit/signing-key.ts';
import { apiConverter } from '../../../codec/data-converter.ts';
import { payloadCodec } from '../../../codec/payload-codec.ts';
import { LIMITS } from '../../../contracts/limits.ts';
import { clusterWorkflowId, NAMESPACE } from '../../../contracts/messages.ts';
import type { OperationStatus, TaskState, TaskStatus } from '../../../contracts/operation.ts';
import { openStore } from '../../../store/index.ts';
import { openKeyring } from '../../../store/keyring.ts';
import { startWorkers } from '../../../worker/run.ts';
import { installRuntime } from '../../../worker/runtime.ts';
import { startTemporalServer } from '../../../worker/temporal-server/start.ts';
import { trustIn } from '../../../worker/trust.ts';
import { simulatedHosts } from './simulated-hosts.ts';
import { simulatedPhases } from './simulated-phases.ts';
import { simulatedSpec } from './simulated-spec.ts';

/** One simulated build. */
export interface SimulationOptions {
  hosts: number;
  /** Tasks in flight at once. */
  concurrency: number;
  commandsPerTask: number;
  /** Time that each command takes, ms. */
  latencyMs: number;
}

export interface WorkflowSize {
  workflowId: string;
  events: number;
  bytes: number;
}

export interface SimulationResult extends SimulationOptions {
  state: OperationStatus['state'];
  tasks: number;
  /** From the POST to the end of the operation. */
  wallMs: number;
  /** Mean of what the workflow saw from a task's start to its end. */
  meanTaskMs: number;
  /** Largest history first. */
  workflows: WorkflowSize[];
  /** Highest resident memory of the process that holds API, workers and store, bytes. */
  peakRssBytes: number;
  cpuMs: number;
  /** GET of the operation, with its first 1,000 tasks, at the end: bytes and ms; the slowest one while it ran. */
  statusBytes: number;
  statusMs: number;
  slowestStatusMs: number;
  /** All pages of the other tasks, ms. */
  pagesMs: number;
}

const CLUSTER = 'scale';
const POLL_MS = 1_000;

/**
 * Build a cluster of simulated hosts on the real service: a Temporal server of its own, the real workers, store, journal
 * and API in this process. Only the hosts and what phases do on them are made up.
 */
export async function simulate(options: SimulationOptions, say: (line: string) => void): Promise<SimulationResult> {
  const dataDir = mkdtempSync(join(tmpdir(), 'kubewright-scale-'));
  const logger = pino({ level: 'warn' }, pino.destination(2));
  const parts: (() => Promise<unknown> | void)[] = [() => rmSync(dataDir, { recursive: true, force: true })];
  try {
    installRuntime(logger);
    const server = await startTemporalServer({ dataDir, headless: true, onLog: say });
    parts.push(() => server.close());
    const store = await openStore({ dataDir, keyring: openKeyring(dataDir), logger });
    parts.push(() => store.close());
    const signer = openSigner(dataDir);
    await store.commandKeys.register(signer.fingerprint, signer.publicKey);
    const converter = apiConverter(store.payloadKeys, signer);
    const phases = await simulatedPhases(options.commandsPerTask);
    const deps = { ...(await createActivityDeps(store)), phases, hosts: simulatedHosts(options.latencyMs) };
    const activities = createActivities(deps);
    const control: typeof activities.control = {
      ...activities.control,
      makePlan: async (input) => ({
        ...(await activities.control.makePlan(input)),
        maxParallel: options.concurrency,
      }),
    };
    const workers = await startWorkers({
      address: server.address,
      activities: { ...activities, control },
      ...trustIn(store, logger),
    });
    parts.push(() => workers.shutdown());
    const connection = await Connection.connect({ address: server.address });
    parts.push(() => connection.close());
    const temporal = temporalGateway(connection, { dataConverter: converter });
    const app = await buildApp({
      store,
      temporal,
      metrics: new Registry(),
      readiness: createReadiness([]),
      bundleBuilder: createBundleBuilder({ store, temporal, signer, spool: join(dataDir, 'spool') }),
      phases: [...phases.values()],
      kinds: deps.kinds,
      kubeconfig: async () => null,
      personalKubeconfig: async () => null,
      codec: payloadCodec(store.payloadKeys),
      smokeImage: () => 'busybox',
    });
    parts.push(() => app.close());
    const authorization = `Bearer ${readFileSync(await ensureAdminToken(dataDir, store), 'utf8').trim()}`;
    const ask = async (method: 'GET' | 'POST', url: string, payload?: object) => {
      const headers = { authorization };
      const started = performance.now();
      const answer = await app.inject({ method, url, headers, ...(payload ? { payload } : {}) });
      if (answer.statusCode >= 300) throw new Error(`${method} ${url}: HTTP ${answer.statusCode} ${answer.body}`);
      return { body: answer.body, ms: performance.now() - started };
    };

    const posted = performance.now();
    const cpuBefore = process.cpuUsage();
    const created = await ask('POST', '/clusters', simulatedSpec(CLUSTER, options.hosts) as object);
    const { operation } = JSON.parse(created.body) as { operation: string };
    const path = `/clusters/${CLUSTER}/operations/${operation}`;
    let status: OperationStatus & { taskCounts: Partial<Record<TaskState, number>>; tasksNext: string | null };
    let answer: { body: string; ms: number };
    let slowestStatusMs = 0;
    for (;;) {
      await sleep(POLL_MS);
      answer = await ask('GET', path);
      slowestStatusMs = Math.max(slowestStatusMs, answer.ms);
      status = JSON.parse(answer.body) as typeof status;
      const all = Object.values(status.taskCounts).reduce((sum, count) => sum + count, 0);
      say(`${options.hosts} hosts: ${status.state}, ${status.taskCounts.succeeded ?? 0}/${all} tasks`);
      if (['succeeded', 'failed', 'cancelled', 'blocked'].includes(status.state)) break;
    }
    const pagesStarted = performance.now();
    for (let cursor = status.tasksNext; cursor !== null; ) {
      const page = await ask('GET', `${path}/tasks?limit=${LIMITS.pageSize}&cursor=${cursor}`);
      const { items, next } = JSON.parse(page.body) as { items: TaskStatus[]; next: string | null };
      status.tasks.push(...items);
      cursor = next;
    }
    const pagesMs = performance.now() - pagesStarted;
    const wallMs = Date.parse(status.endedAt ?? new Date().toISOString()) - (Date.now() - (performance.now() - posted));
    const cpu = process.cpuUsage(cpuBefore);
    const peakRssBytes = process.resourceUsage().maxRSS * 1024;
    if (status.state !== 'succeeded') say(JSON.stringify(status.tasks.filter((task) => task.error).slice(0, 3)));
    const workflows = await workflowSizes(new Client({ connection, namespace: NAMESPACE, dataConverter: converter }));
    const times = status.tasks.map((task) => Date.parse(task.endedAt ?? '') - Date.parse(task.startedAt ?? ''));
    return {
      ...options,
      state: status.state,
      tasks: status.tasks.length,
      wallMs,
      meanTaskMs: times.reduce((sum, ms) => sum + ms, 0) / Math.max(1, times.length),
      workflows,
      peakRssBytes,
      cpuMs: (cpu.user + cpu.system) / 1000,
      statusBytes: Buffer.byteLength(answer.body),
      statusMs: answer.ms,
      pagesMs,
      slowestStatusMs,
    };
  } finally {
    for (const part of parts.reverse()) await part();
  }
}

/** Every workflow of the cluster with the size of its history, as the server counts it. */
async function workflowSizes(client: Client): Promise<WorkflowSize[]> {
  const sizes: WorkflowSize[] = [];
  // The list is written a moment after the workflows.
  await sleep(2_000);
  for await (const { workflowId, runId } of client.workflow.list({
    query: `WorkflowId STARTS_WITH "${clusterWorkflowId(CLUSTER)}"`,
  })) {
    const { historyLength, historySize } = await client.workflow.getHandle(workflowId, runId).describe();
    sizes.push({ workflowId, events: historyLength, bytes: historySize ?? 0 });
  }
  return sizes.sort((a, b) => b.events - a.events);
}
