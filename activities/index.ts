import { activityInfo, CancelledFailure, Context, heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { CloseInput, CloseResult, HostRef, TakeCommand, TakenCommand, TasksInput } from '../contracts/actions.ts';
import type { ClusterSpec } from '../contracts/cluster.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { HealthInput, HealthResult } from '../contracts/health.ts';
import type { OperationInput, OperationStatus, TaskInput, TaskResult, TaskStatus } from '../contracts/operation.ts';
import type { OperationTraits } from '../contracts/operation-traits.ts';
import type { Plan } from '../contracts/plan.ts';
import type { Timeouts } from '../contracts/timeouts.ts';
import { checkHealth } from './health/check-health.ts';
import { findTraits, requireKind } from './operations/kind-loader.ts';
import type { OperationKinds } from './operations/operation-kind.ts';
import { type OperationJournal, type RunRef, recordClosed, recordOpened } from './operations/operation-log.ts';
import { makePlan } from './operations/plan.ts';
import { withoutCleanHosts } from './operations/plan-cleanup.ts';
import { withTimeouts } from './operations/plan-timeouts.ts';
import { type PolicyJournal, recordPolicy } from './operations/policy-record.ts';
import { heartbeats } from './tasks/heartbeats.ts';
import { PauseWatch } from './tasks/pause-watch.ts';
import { runTask, type TaskDeps } from './tasks/run-task.ts';
import { type ChangesStore, keepChanges } from './tasks/task-changes.ts';
import { TaskStop } from './tasks/task-stop.ts';

/** What the control activities write. Implemented by the store. */
export interface Projections {
  saveOperation(status: OperationStatus, more?: { traits?: OperationTraits | undefined }): Promise<void>;
  pauseOf(cluster: string, operationId: string): Promise<NonNullable<OperationStatus['pause']> | null>;
  saveTasks(cluster: string, operationId: string, tasks: readonly TaskStatus[]): Promise<void>;
  /** The last build as a whole since the cluster came to be: its spec, and the hosts that serve; null before the first. */
  built(cluster: string): Promise<{ spec: ClusterSpec; served: string[] } | null>;
}

export type ActivityDeps = TaskDeps & {
  kinds: OperationKinds;
  journal: OperationJournal & PolicyJournal;
  projections: Projections;
  /** Keeps the plan of an operation; a repetition replaces it. */
  plans: { save(operationId: string, plan: Plan): Promise<void> };
  taskChanges: ChangesStore;
  timeouts: Timeouts;
  /** Takes a command, once. */
  takeCommand(input: TakeCommand): Promise<TakenCommand>;
  /** Digest of what a spec's row says beside the spec; null: there is no such row. */
  specRow?: ((ref: string) => Promise<string | null>) | undefined;
  /** Drops the recorded host key of a host. */
  deleteHostKey(cluster: string, host: string): Promise<unknown>;
};

/** Every activity of ours: one per phase on the ssh queue, and the few that touch our own database. */
export interface Activities {
  phases: Record<string, (input: TaskInput) => Promise<TaskResult>>;
  /** On the ssh queue as well: it reaches hosts. */
  health: (input: HealthInput) => Promise<HealthResult>;
  control: {
    makePlan(input: OperationInput): Promise<Plan>;
    projectStatus(status: OperationStatus): Promise<void>;
    projectTasks(input: TasksInput): Promise<void>;
    closeOperation(input: CloseInput): Promise<CloseResult>;
    forgetHost(input: HostRef): Promise<void>;
    takeCommand(input: TakeCommand): Promise<TakenCommand>;
  };
}

/** Bind the activities to the world. The only place that knows Temporal's activity SDK. */
export function createActivities(deps: ActivityDeps): Activities {
  const heartbeating = heartbeats(deps.timeouts.heartbeatMs, heartbeat, (late) => deps.metrics?.heartbeat(late));
  const phases: Activities['phases'] = {};
  const pauses = new PauseWatch((cluster, operation) => deps.projections.pauseOf(cluster, operation));
  for (const name of deps.phases.keys()) {
    phases[name] = (input) => asFailure(() => heartbeating((step) => runPhase(deps, pauses, input, step)));
  }
  return {
    phases,
    health: (input) =>
      asFailure(() =>
        heartbeating((step) => {
          const { activityId, attempt, namespace } = activityInfo();
          const signal = Context.current().cancellationSignal;
          return checkHealth(deps, input, { namespace, ...runRef(), activityId, attempt, signal, step });
        }),
      ),
    control: {
      makePlan: (input) =>
        asFailure(() =>
          recordOpened(
            deps.journal,
            input,
            runRef(),
            async () => {
              const spec = await deps.spec(input.specRef);
              const built = await deps.projections.built(input.cluster);
              const world = { served: built?.served ?? [], before: built?.spec ?? null };
              const kind = requireKind(deps.kinds, input.kind);
              const plan = makePlan(kind, input, spec, [...deps.phases.values()], world);
              const whole = withTimeouts(await withoutCleanHosts(plan, input, deps), deps.timeouts);
              await deps.plans.save(input.operationId, whole);
              return whole;
            },
            deps.specRow,
          ),
        ),
      projectStatus: (status) =>
        asFailure(async () => {
          await recordPolicy(deps.journal, status, runRef());
          await deps.projections.saveOperation(status, { traits: findTraits(deps.kinds, status.kind) });
        }),
      projectTasks: ({ cluster, operationId, tasks }) =>
        asFailure(() => deps.projections.saveTasks(cluster, operationId, tasks)),
      closeOperation: (input) =>
        asFailure(async () => {
          // First the journal: who sees the end may ask for the whole of it.
          await recordPolicy(deps.journal, input.status, runRef());
          const closed = await recordClosed(deps.journal, input, runRef());
          await deps.projections.saveOperation(input.status, { traits: findTraits(deps.kinds, input.status.kind) });
          return closed;
        }),
      takeCommand: (input) => asFailure(() => deps.takeCommand(input)),
      forgetHost: ({ cluster, host }) =>
        asFailure(async () => {
          await deps.deleteHostKey(cluster, host);
        }),
    },
  };
}

function runRef(): RunRef {
  const { workflowId = '', runId = '' } = activityInfo().workflowExecution ?? {};
  return { workflowId, runId };
}

async function runPhase(
  deps: ActivityDeps,
  pauses: PauseWatch,
  input: TaskInput,
  step: (text: string) => void,
): Promise<TaskResult> {
  const info = activityInfo();
  const { cluster, operationId, scheduledAt } = input;
  const stop: TaskStop = new TaskStop(() => watching?.readPause() ?? Promise.resolve());
  const watching =
    scheduledAt === undefined
      ? undefined
      : pauses.watch({ cluster, operationId, since: scheduledAt }, (mode) => {
          if (mode === 'interrupt') stop.now();
          else stop.drain();
        });
  const ended = deps.metrics?.task(input.phase);
  let outcome = 'succeeded';
  try {
    const result = await runTask(deps, input, {
      namespace: info.namespace,
      workflowId: info.workflowExecution?.workflowId ?? '',
      runId: info.workflowExecution?.runId ?? '',
      activityId: info.activityId,
      attempt: info.attempt,
      signal: AbortSignal.any([Context.current().cancellationSignal, stop.signal]),
      step,
      stop,
    });
    await keepChanges(deps.taskChanges, input, info.attempt, result);
    return result;
  } catch (error) {
    outcome = stop.signal.aborted ? 'TASK_PAUSED' : KubewrightError.is(error) ? error.code : 'INTERNAL';
    if (!stop.signal.aborted) throw error;
    const { phase, host } = input;
    throw new KubewrightError('TASK_PAUSED', `${phase} on ${host} was paused`, { cause: error, phase, host });
  } finally {
    ended?.(outcome);
    watching?.end();
  }
}

/**
 * Errors cross Temporal as ApplicationFailure: type = our code, details = the report. Cancellation goes through as it
 * is, so that the SDK distinguishes a pause from a shutdown.
 */
async function asFailure<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CancelledFailure || error instanceof ApplicationFailure) throw error;
    if (KubewrightError.is(error)) {
      if (error.code === 'COMMAND_ABORTED') {
        // Our own abort was asked for by Temporal: report it as the cancellation that it is.
        const context = Context.current();
        if (context.cancellationSignal.aborted) throw await context.cancelled.catch((reason: unknown) => reason);
      }
      throw ApplicationFailure.create({
        type: error.code,
        message: error.message,
        nonRetryable: !error.entry.retryable,
        details: [error.report()],
        cause: error,
      });
    }
    throw ApplicationFailure.create({
      type: 'INTERNAL',
      message: error instanceof Error ? error.message : String(error),
      nonRetryable: false,
      details: [{ code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) }],
      ...(error instanceof Error ? { cause: error } : {}),
    });
  }
}
