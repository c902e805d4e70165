import type { DataConverter } from '@temporalio/common';
import { type InjectedSinks, NativeConnection, type NativeConnectionOptions, Worker } from '@temporalio/worker';
import type { RefusalLog } from '../activities/operations/refusal-log.ts';
import type { CloseInput, CloseResult, HostRef, TakeCommand, TakenCommand, TasksInput } from '../contracts/actions.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { HealthInput, HealthResult } from '../contracts/health.ts';
import { HEALTH_ACTIVITY, NAMESPACE } from '../contracts/messages.ts';
import type { OperationInput, OperationStatus, TaskInput, TaskResult } from '../contracts/operation.ts';
import type { Plan } from '../contracts/plan.ts';
import type { RefusalSinks } from '../workflows/gate.ts';
import { activityGate, type OperationLookup } from './activity-gate.ts';
import { workflowBundlePath } from './bundle.ts';
import { controlWorkerOptions, sshWorkerOptions, workflowWorkerOptions } from './options.ts';

const PING_DEADLINE_MS = 2_000;

/** What the worker runs: as createActivities() of activities/index.ts returns it. */
export interface WorkerActivities {
  phases: Record<string, (input: TaskInput) => Promise<TaskResult>>;
  /** Absent: no plan of this worker asks for it. */
  health?: (input: HealthInput) => Promise<HealthResult>;
  control: {
    makePlan(input: OperationInput): Promise<Plan>;
    projectStatus(status: OperationStatus): Promise<void>;
    projectTasks(input: TasksInput): Promise<void>;
    closeOperation(input: CloseInput): Promise<CloseResult>;
    forgetHost(input: HostRef): Promise<void>;
    takeCommand(input: TakeCommand): Promise<TakenCommand>;
  };
}

export interface WorkersOptions {
  /** A connection that the caller owns, or where to connect. */
  connection?: NativeConnection | undefined;
  address?: string | undefined;
  /** For Temporal servers with TLS or API keys; merged into the connection of `address`. */
  connect?: Omit<NativeConnectionOptions, 'address'> | undefined;
  namespace?: string | undefined;
  activities: WorkerActivities;
  /** Default: workflowBundlePath(). */
  bundlePath?: string | undefined;
  /** workerConverter() of codec/. */
  dataConverter: DataConverter;
  /** Where messages of strangers are written down. */
  refusals?: RefusalLog | undefined;
  /** What activities run for. Without it only their seals count. */
  operations?: OperationLookup | undefined;
}

export interface RunningWorkers {
  /** Resolves after shutdown, rejects when a worker dies of itself. */
  run: Promise<void>;
  /** End politely: no new tasks, a short grace, then cancellation. Resolves when all is quiet. */
  shutdown(): Promise<void>;
  /** Resolves when Temporal answers on the workers' own connection; rejects when it does not within 2 s. */
  ping(): Promise<void>;
}

/**
 * Three workers on one connection: workflows, control, ssh. Call installRuntime() first for our log.
 * Throws TEMPORAL_UNAVAILABLE when the server does not answer.
 */
export async function startWorkers(options: WorkersOptions): Promise<RunningWorkers> {
  const bundlePath = options.bundlePath ?? (await workflowBundlePath());
  const connection = options.connection ?? (await connectNative(options));
  const { phases, control, health } = options.activities;
  const onHosts = { ...phases, ...(health ? { [HEALTH_ACTIVITY]: health } : {}) };
  const shared = {
    connection,
    namespace: options.namespace ?? NAMESPACE,
    dataConverter: options.dataConverter,
    interceptors: { activity: [activityGate({ log: options.refusals, operations: options.operations })] },
  };
  const workers: Worker[] = [];
  const run = async (): Promise<void> => {
    try {
      await Promise.all(workers.map((worker) => worker.run()));
    } finally {
      // One dead worker takes the others along: half a worker would look healthy and do nothing.
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await options.refusals?.close();
      if (!options.connection) await closeQuietly(connection);
    }
  };
  try {
    workers.push(
      ...(await Promise.all([
        Worker.create({
          ...workflowWorkerOptions,
          ...shared,
          workflowBundle: { codePath: bundlePath },
          sinks: refusalSinks(options.refusals),
          activities: {
            takeCommand: (input: TakeCommand) => control.takeCommand(input),
            projectStatus: (status: OperationStatus) => control.projectStatus(status),
            projectTasks: (input: TasksInput) => control.projectTasks(input),
          },
        }),
        Worker.create({ ...controlWorkerOptions, ...shared, activities: control }),
        Worker.create({ ...sshWorkerOptions, ...shared, activities: onHosts }),
      ])),
    );
  } catch (error) {
    if (!options.connection) await closeQuietly(connection);
    throw error;
  }
  const running = run();
  // Handed to the caller below; without this a death before the caller awaits would end the process.
  running.catch(() => undefined);
  return {
    run: running,
    async ping() {
      await connection.withDeadline(Date.now() + PING_DEADLINE_MS, () =>
        connection.workflowService.describeNamespace({ namespace: shared.namespace }),
      );
    },
    async shutdown() {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
    },
  };
}

function refusalSinks(log: RefusalLog | undefined): InjectedSinks<RefusalSinks> {
  return {
    refusals: {
      refused: {
        fn: ({ workflowId, runId }, message) => log?.refused(message, { workflowId, runId }),
        callDuringReplay: false,
      },
    },
  };
}

async function connectNative(options: WorkersOptions): Promise<NativeConnection> {
  if (options.address === undefined) throw new TypeError('startWorkers needs a connection or an address');
  try {
    return await NativeConnection.connect({ ...options.connect, address: options.address });
  } catch (error) {
    throw new KubewrightError('TEMPORAL_UNAVAILABLE', `no Temporal server answers at ${options.address}`, {
      cause: error,
      evidence: error instanceof Error ? error.message : String(error),
    });
  }
}

/** Closing fails while a dead worker still holds the connection; the process ends soon anyway. */
async function closeQuietly(connection: NativeConnection): Promise<void> {
  await connection.close().catch(() => undefined);
}
