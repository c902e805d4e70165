import { z } from 'zod';

/** Times within which something must happen; what follows from each is in docs/operations.md. */
export interface Timeouts {
  /** A task whose worker says nothing for so long is started again elsewhere, ms. */
  heartbeatMs: number;
  /** Ceiling for one attempt of any task, ms; null: what its phase says. */
  taskMs: number | null;
  /** An SSH connection unused for so long is closed, ms. */
  sshIdleMs: number;
}

export const DEFAULT_TIMEOUTS: Timeouts = { heartbeatMs: 15_000, taskMs: null, sshIdleMs: 5 * 60_000 };

const DAY_MS = 24 * 3600 * 1000;
/** Five heartbeats in each: a busy worker process must have the time to send them. */
const LEAST_HEARTBEAT_MS = 5_000;
const milliseconds = (least: number) => z.coerce.number().int().min(least).max(DAY_MS);
const given = (text: unknown): unknown => (text === '' ? undefined : text);

/** The environment of workers that sets them; milliseconds. For the schemas of the processes' configurations. */
export const timeoutEnvironment = {
  KUBEWRIGHT_HEARTBEAT_TIMEOUT_MS: z.preprocess(given, milliseconds(LEAST_HEARTBEAT_MS).optional()),
  KUBEWRIGHT_TASK_TIMEOUT_MS: z.preprocess(given, milliseconds(1_000).optional()),
  KUBEWRIGHT_SSH_IDLE_MS: z.preprocess(given, milliseconds(100).optional()),
};

/** What the parsed environment says, with defaults for the rest. */
export function timeoutsOf(env: { [name in keyof typeof timeoutEnvironment]?: number | undefined }): Timeouts {
  return {
    heartbeatMs: env.KUBEWRIGHT_HEARTBEAT_TIMEOUT_MS ?? DEFAULT_TIMEOUTS.heartbeatMs,
    taskMs: env.KUBEWRIGHT_TASK_TIMEOUT_MS ?? DEFAULT_TIMEOUTS.taskMs,
    sshIdleMs: env.KUBEWRIGHT_SSH_IDLE_MS ?? DEFAULT_TIMEOUTS.sshIdleMs,
  };
}
