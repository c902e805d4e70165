import type { WorkerOptions } from '@temporalio/worker';
import { LIMITS } from '../contracts/limits.ts';
import { TASK_QUEUES } from '../contracts/messages.ts';

/** How long running tasks may go on when the worker is asked to end; then they are cancelled at their command. */
export const SHUTDOWN_GRACE_MS = 2_000;
/** When even cancelled tasks do not end: the process goes, and Temporal repeats them elsewhere. */
export const SHUTDOWN_FORCE_MS = 30_000;

/**
 * Heartbeats bring cancellations, and tasks choose their distance themselves (activities/tasks/heartbeats.ts): what the SDK
 * holds back would only come later. Its default, 80 % of the heartbeat timeout, would be 12 s.
 */
const HEARTBEAT_EVERY_MS = 200;

const common = {
  shutdownGraceTime: SHUTDOWN_GRACE_MS,
  shutdownForceTime: SHUTDOWN_FORCE_MS,
  maxHeartbeatThrottleInterval: HEARTBEAT_EVERY_MS,
} as const;

/** Workflow tasks, and the store's local activities that ride on them. */
export const workflowWorkerOptions = {
  ...common,
  taskQueue: TASK_QUEUES.workflows,
  enableNonLocalActivities: false,
  workflowTaskPollerBehavior: { type: 'autoscaling', minimum: 2, initial: 4, maximum: 16 },
  // Two per cluster at work. The SDK's default is by heap size and was seen to exhaust it.
  maxCachedWorkflows: 200,
  // A killed worker's workflows come to the next one after this long.
  stickyQueueScheduleToStartTimeout: '5s',
} as const satisfies WorkerOptions;

/** Store and plan. */
export const controlWorkerOptions = {
  ...common,
  taskQueue: TASK_QUEUES.control,
  maxConcurrentActivityTaskExecutions: 20,
  activityTaskPollerBehavior: { type: 'autoscaling', minimum: 1, initial: 2, maximum: 4 },
} as const satisfies WorkerOptions;

/** Phases on hosts. The slots are the SSH sessions that one worker process runs at once. */
export const sshWorkerOptions = {
  ...common,
  taskQueue: TASK_QUEUES.ssh,
  maxConcurrentActivityTaskExecutions: LIMITS.maxParallelTasks,
  activityTaskPollerBehavior: { type: 'autoscaling', minimum: 2, initial: 5, maximum: 20 },
} as const satisfies WorkerOptions;
