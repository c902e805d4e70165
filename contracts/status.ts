import { z } from 'zod';
import { ERRORS, type ErrorCode } from './errors.ts';
import { HEALTH_CODES, HEALTH_REASONS, HEALTH_STATES, type HealthCode } from './health.ts';
import { LIMITS } from './limits.ts';
import { DECISION_ACTIONS, OPERATION_STATES, TASK_STATES } from './operation.ts';

/**
 * The status of an operation and of what it consists of: the only definition. Workflows, which load no zod, import the
 * types through operation.ts; rows, events and answers of the API have the same shape.
 */

const time = z.iso.datetime().max(32).describe('ISO 8601, UTC');
const text = z.string().max(8192);
const codes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** An operation's id, as in addresses: unique in its cluster, sorted by age. */
export const operationId = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be an operation id');

/** The part of an error that crosses processes: Temporal's failure details, problem documents, statuses. */
export const errorReport = z.object({
  code: z.enum(codes),
  message: text,
  host: text.optional(),
  phase: text.optional(),
  blames: z.array(text).max(1000).optional().describe('Other hosts that cause the failure'),
  evidence: text
    .optional()
    .describe('Lines that show the cause, such as the end of a log. Secrets are masked, the length is limited'),
  errors: z
    .array(z.object({ path: text, message: text }))
    .max(200)
    .optional()
    .describe('What is wrong with each field of a refused request'),
});
export type ErrorReport = z.infer<typeof errorReport>;

/** One change that a task made, or would make. */
export const change = z.object({
  resource: text.describe('`kind:id` of the resource, such as `file:/etc/hosts`'),
  action: z.enum(['create', 'update', 'remove', 'restart', 'start', 'run', 'keep']),
  detail: text.describe('One line of text without secrets'),
});
export type Change = z.infer<typeof change>;

/** What a task changed, or in a dry run would change; all its rounds together. */
export const taskChanges = z.object({
  phase: text,
  host: text,
  changes: z.array(change).max(LIMITS.changesPerTask),
  changeCount: z.int().describe('Changes in all; the first 200 are listed'),
});
export type TaskChanges = z.infer<typeof taskChanges>;

/** One task: a phase on a host. */
export const taskStatus = z.object({
  phase: text,
  host: text,
  state: z.enum(TASK_STATES),
  attempt: z.int(),
  decision: z.int().describe('Number of decisions that ran the task again'),
  startedAt: time.optional(),
  endedAt: time.optional(),
  changeCount: z.int().optional(),
  restarts: z.int().optional().describe('systemd units that the task started or restarted'),
  commandMs: z.number().optional().describe('Time of all commands of the task, ms'),
  error: errorReport.optional().describe('Why the task is blocked; for a skipped task, why its host was excluded'),
  policy: text.optional().describe('Why the policy of the cluster did not decide'),
});
export type TaskStatus = z.infer<typeof taskStatus>;

/** A host that the cluster goes on without, until a heal brings it back in. */
export const quarantinedHost = z.object({
  host: text,
  since: time,
  by: text.describe('Who decided: the name of a token, or `policy`'),
  why: text.describe('Error of the blocked task, or the reason in the request'),
  phase: text.describe('Phase of the blocked task'),
  operationId: text,
});
export type QuarantinedHost = z.infer<typeof quarantinedHost>;

/** A decision or command about an operation, as its status lists it. */
export const decisionRecord = z.object({
  at: time,
  by: text.describe('The name of a token, or `policy`'),
  byId: text.optional().describe('Id of the token of that name'),
  action: z.enum([...DECISION_ACTIONS, 'amend', 'pause', 'resume', 'cancel']),
  host: text.optional(),
  phase: text.optional(),
  mode: z.enum(['drain', 'interrupt']).optional(),
  reason: text.optional(),
  requestId: text,
});
export type DecisionRecord = z.infer<typeof decisionRecord>;

/** One thing that is wrong with a cluster. */
const healthReason = z.object({
  code: z.enum(Object.keys(HEALTH_CODES) as [HealthCode, ...HealthCode[]]),
  subject: text.describe('Object that the reason concerns, such as `node w-1` or `deployment kube-system/coredns`'),
  reason: text,
  evidence: text.optional().describe('Conditions, messages or numbers that show it'),
  since: z.string().max(64).optional().describe('Start of the problem (ISO 8601), when the cluster reports it'),
});
export type HealthReason = z.infer<typeof healthReason>;

/** The health of a cluster as it was at `at`. */
export const health = z
  .object({
    state: z.enum(HEALTH_STATES),
    at: time.describe('Time of the health check'),
    operationId: text.describe('Id of the operation that ran the health check'),
    reasons: z.array(healthReason).max(HEALTH_REASONS),
    reasonCount: z.int().describe('Number of all reasons; `reasons` has the first of them'),
  })
  .describe('Problems of the cluster, independent of the result of its operations; docs/health.md lists the codes');
export type Health = z.infer<typeof health>;

/** Who paused an operation, when and why. */
export const pauseInfo = z.object({
  by: text,
  at: time,
  mode: z.enum(['drain', 'interrupt']),
  reason: text.optional(),
});

/** Status of an operation: the answer of the workflow's query, the stored read model, and the API's answer. */
export const operationStatus = z.object({
  operationId,
  cluster: text,
  kind: text.describe('Name of the kind of operation'),
  mode: z.enum(['apply', 'check']),
  state: z.enum(OPERATION_STATES),
  actor: text,
  actorId: text.optional().describe('Id of the token of that name'),
  specRef: z.string().regex(/^[0-9a-f]{64}$/),
  queuedAt: time.optional(),
  startedAt: time.optional(),
  endedAt: time.optional(),
  phases: z.array(text).max(100).optional().describe('Phases in the request; absent: all'),
  hosts: z.array(text).max(1000).optional().describe('Hosts in the request; absent: all'),
  tasks: z.array(taskStatus).max(50_000),
  blockedHosts: z.array(text).max(1000),
  quarantinedHosts: z.array(text).max(1000).describe('Hosts in quarantine, sorted by name'),
  quarantine: z.array(quarantinedHost).max(1000).optional().describe('The same hosts, with actor, time and reason'),
  version: z.int().optional().describe('Version of this view, for `expectedVersion` of a decision'),
  decisions: z
    .array(decisionRecord)
    .max(LIMITS.decisionsInStatus)
    .optional()
    .describe('The last decisions, oldest first'),
  error: errorReport.optional(),
  pause: pauseInfo.optional(),
  health: health
    .optional()
    .describe(
      'Health of the cluster at the end of the operation; absent: the operation runs, or ended without a health check',
    ),
});
export type OperationStatus = z.infer<typeof operationStatus>;
