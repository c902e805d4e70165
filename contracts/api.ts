import { z } from 'zod';
import { credentialScope } from './credential.ts';
import { ERRORS, type ErrorCode, type ErrorReport } from './errors.ts';
import { HEALTH_CODES, HEALTH_REASONS, HEALTH_STATES, type Health, type HealthCode } from './health.ts';
import { hostKey, ROLES, sshSettings } from './host.ts';
import { LIMITS } from './limits.ts';
import { ACTORS } from './messages.ts';
import {
  DECISION_ACTIONS,
  type DecisionRecord,
  OPERATION_KINDS,
  OPERATION_STATES,
  type OperationStatus,
  type QuarantinedHost,
  TASK_STATES,
  type TaskStatus,
} from './operation.ts';
import { need } from './plan.ts';
import { address, dnsLabel } from './primitives.ts';

/** Bodies and answers of the HTTP API, beside ClusterSpec. Answers are loose: a newer worker may say more. */

const time = z.string().max(32).describe('ISO 8601, UTC');
const text = z.string().max(8192);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const codes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

export const operationId = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be an operation id');

export const errorReport: z.ZodType<ErrorReport> = z.looseObject({
  code: z.enum(codes),
  message: text,
  host: text.optional(),
  phase: text.optional(),
  blames: z.array(text).max(1000).optional().describe('Other hosts that are to blame'),
  evidence: text.optional(),
  errors: z
    .array(z.object({ path: text, message: text }))
    .max(200)
    .optional(),
});

export const taskStatus: z.ZodType<TaskStatus> = z.looseObject({
  phase: text,
  host: text,
  state: z.enum(TASK_STATES),
  attempt: z.int(),
  decision: z.int(),
  startedAt: time.optional(),
  endedAt: time.optional(),
  changeCount: z.int().optional(),
  restarts: z.int().optional(),
  commandMs: z.number().optional(),
  error: errorReport.optional(),
  policy: text.optional().describe("Why the cluster's policy did not decide by itself"),
});

const pauseInfo = z.looseObject({ by: text, at: time, mode: z.enum(['drain', 'interrupt']), reason: text.optional() });

const quarantinedHost: z.ZodType<QuarantinedHost> = z.looseObject({
  host: text,
  since: time,
  by: text.describe('Who decided: the name of a token, or `policy`'),
  why: text,
  phase: text.describe('Where it failed'),
  operationId: text,
});

const decisionRecord: z.ZodType<DecisionRecord> = z.looseObject({
  at: time,
  by: text,
  byId: text.optional().describe('Id of the token of that name'),
  action: z.enum([...DECISION_ACTIONS, 'amend', 'pause', 'resume', 'cancel']),
  host: text.optional(),
  phase: text.optional(),
  mode: z.enum(['drain', 'interrupt']).optional(),
  reason: text.optional(),
  requestId: text,
});

export const health: z.ZodType<Health> = z
  .looseObject({
    state: z.enum(HEALTH_STATES),
    at: time.describe('When it was looked at'),
    operationId: text.describe('The operation that looked'),
    reasons: z
      .array(
        z.looseObject({
          code: z.enum(Object.keys(HEALTH_CODES) as [HealthCode, ...HealthCode[]]),
          subject: text.describe('What it is about: `node w-1`, `deployment kube-system/coredns`'),
          reason: text,
          evidence: text.optional(),
          since: time.optional(),
        }),
      )
      .max(HEALTH_REASONS),
    reasonCount: z.int().describe('Reasons in all; the first of them are listed'),
  })
  .describe('What is wrong with the cluster, whatever its operations did; docs/health.md lists the codes');

const operationShape = {
  operationId,
  cluster: text,
  kind: z.enum(OPERATION_KINDS),
  mode: z.enum(['apply', 'check']),
  state: z.enum(OPERATION_STATES),
  actor: text,
  actorId: text.optional().describe('Id of the token of that name'),
  specRef: digest,
  queuedAt: time.optional(),
  startedAt: time.optional(),
  endedAt: time.optional(),
  phases: z.array(text).max(100).optional().describe('The phases that were asked for; absent: all'),
  hosts: z.array(text).max(1000).optional().describe('The hosts that were asked for; absent: all'),
  tasks: z.array(taskStatus).max(50_000),
  blockedHosts: z.array(text).max(1000),
  quarantinedHosts: z.array(text).max(1000).describe('Hosts that the cluster goes on without'),
  quarantine: z.array(quarantinedHost).max(1000).optional(),
  version: z.int().optional().describe('What `expectedVersion` of a decision is compared with'),
  decisions: z.array(decisionRecord).max(LIMITS.decisionsInStatus).optional(),
  error: errorReport.optional(),
  pause: pauseInfo.optional(),
  health: health.optional().describe("The cluster's health when the operation ended"),
};

/** An operation in a list. */
export const listedOperation: z.ZodType<
  OperationStatus & { taskCounts: Partial<Record<(typeof TASK_STATES)[number], number>> }
> = z.looseObject({
  ...operationShape,
  tasks: operationShape.tasks.describe('Empty when the operation has more than 1,000: read the operation itself'),
  taskCounts: z.partialRecord(z.enum(TASK_STATES), z.int()).describe('Tasks per state'),
});

export const changeItem = z.object({ resource: text, action: text, detail: text });
export const taskChanges = z.object({
  phase: text,
  host: text,
  changes: z.array(changeItem).max(200),
  changeCount: z.int(),
});

const detailShape = {
  durationMs: z.number().optional(),
  changes: z
    .array(taskChanges)
    .max(50_000)
    .describe('What each task changed, or would change; empty when Temporal no longer has the history'),
};
export const operationDetail: z.ZodType<
  OperationStatus & { durationMs?: number | undefined; changes: z.infer<typeof taskChanges>[] }
> = z.looseObject({ ...operationShape, ...detailShape });

export const links = z.object({ cluster: text, operation: text, events: text, history: text });
export const accepted = z.object({ cluster: text, operation: operationId, links });

export const dryRunAnswer = z.object({
  cluster: text,
  operation: operationId,
  state: z.enum(OPERATION_STATES),
  plan: z
    .array(z.looseObject({ name: text, title: text, hosts: z.array(text).max(1000), needs: z.array(need).max(200) }))
    .max(200),
  hosts: z.array(z.object({ host: text, changes: z.array(changeItem.extend({ phase: text })).max(20_000) })).max(1001),
  changeCount: z.int(),
  errors: z.array(errorReport).max(1000),
  health: health.optional().describe("The cluster's health now; `unknown` where there is none yet"),
  links,
});

export const clusterSummary = z.object({
  name: text,
  state: text.describe('`degraded`: built, but hosts are in quarantine or its health is degraded'),
  health: health
    .nullable()
    .describe('As it was last looked at; null: never. In lists at most 5 reasons, without evidence'),
  specRef: digest,
  kubernetesVersion: text,
  hostCount: z.int(),
  operation: operationId.nullable().describe('Latest operation; determines `state`'),
  createdAt: time,
  updatedAt: time,
});

export const blockedHost = z.object({
  host: text,
  phase: text,
  blames: z.array(text).max(1000).optional().describe('Other hosts that are to blame; they take decisions too'),
  code: z.enum(codes),
  cause: text,
  evidence: text.optional(),
  hint: text,
  policy: text.optional().describe("Why the cluster's policy did not decide by itself"),
});

export const clusterDetail = clusterSummary.extend({
  spec: z
    .record(text, z.unknown())
    .describe('The desired state with defaults filled in; POST it, changed or not, for the next build'),
  hosts: z
    .array(
      z.object({
        name: text,
        address: text,
        roles: z.array(z.enum(ROLES)).max(ROLES.length),
        state: z.enum(['pending', 'running', 'blocked', 'done', 'failed', 'quarantined']),
        tasksDone: z.int(),
        tasks: z.int(),
        quarantined: quarantinedHost.optional().describe('Since when, by whom and why the cluster goes on without it'),
      }),
    )
    .max(1000),
  tasks: z.array(taskStatus).max(50_000),
  blockedHosts: z.array(blockedHost).max(1000),
  pause: pauseInfo.optional().describe('Who paused the operation, when and why'),
  quarantinedHosts: operationShape.quarantinedHosts,
  version: operationShape.version,
  decisions: operationShape.decisions,
  error: errorReport.optional().describe('Why the operation as a whole failed'),
  timings: z.object({
    startedAt: time.optional(),
    endedAt: time.optional(),
    elapsedMs: z.number().optional(),
    phases: z
      .array(z.object({ phase: text, firstStartedAt: time, lastEndedAt: time.optional(), ms: z.number() }))
      .max(200),
  }),
  smokeImage: z.string().max(512).nullable().describe('A busybox that this cluster can run'),
  links: links.partial().extend({ cluster: text }),
});

/** A list and where it goes on; `next` is the `cursor` of the next page, null on the last. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item).max(1000), next: z.string().max(256).nullable() });

export const commandEntry = z.looseObject({
  id: text,
  actorId: text.nullable().optional().describe("Id of the actor's token; null: no token, or of an earlier version"),
  operation: text,
  phase: text,
  host: text,
  attempt: z.int(),
  seq: z.int(),
  kind: text,
  argv: z.array(z.string()).max(10_000),
  startedAt: time,
  endedAt: time.nullable(),
  exitCode: z.int().nullable(),
  error: z.string().max(64).nullable(),
  stdoutSha256: digest.nullable(),
  stderrSha256: digest.nullable(),
  eventId: z.string().max(20).nullable().describe('The workflow event that scheduled the task of this command'),
});

export const workflowEvent = z.object({
  id: z.string().max(20),
  time,
  type: z.string().max(80),
  phase: text.optional(),
  host: text.optional(),
  attempt: z.int().optional(),
  summary: text.optional(),
  error: text.optional(),
});

export const historyPage = z.object({
  operation: operationId.nullable(),
  events: z.array(workflowEvent).max(60_000).describe('Workflow events of the operation; on the first page only'),
  items: z.array(commandEntry).max(1000),
  next: z.string().max(256).nullable(),
});

export const phaseInfo = z.object({
  name: text,
  title: text,
  hosts: text,
  needs: z.array(need).max(32),
  expectedMs: z.number(),
  options: z.record(z.string().max(256), z.unknown()).describe('JSON schema of spec.phases.<name>'),
});

export const listedCredential = credentialScope.extend({
  name: text,
  kind: z.enum(['key', 'password', 'proxy']),
  createdAt: time,
  updatedAt: time,
});
export const tokenRole = z.enum(['viewer', 'operator', 'admin']);
export const tokenInfo = z.object({
  id: text,
  name: text,
  role: tokenRole,
  createdAt: time,
  expiresAt: time.nullable(),
  revokedAt: time.nullable(),
  clusters: z.array(text).max(100).nullable().describe('The clusters that it is good for; null: all'),
});
export const tokenRequest = z.strictObject({
  name: dnsLabel.refine((name) => !(Object.values(ACTORS) as string[]).includes(name), 'is who acts without a token'),
  role: tokenRole,
  expiresAt: z.iso.datetime().max(32).optional(),
  clusters: z
    .array(dnsLabel.max(40))
    .min(1)
    .max(100)
    .optional()
    .describe(
      'Good for these clusters only, also for those that are to be; absent: for all, and for the service itself',
    ),
});

/** One secret payload of Temporal in its JSON form: bytes in base64. */
const base64 = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/, 'must be base64');
const codecPayload = z.looseObject({
  metadata: z.record(z.string().max(256), base64.max(4096)).optional(),
  data: base64.max(6 * 1024 * 1024).optional(),
});
export const codecPayloads = z.looseObject({ payloads: z.array(codecPayload).max(1000).default([]) });

export const rotationRequest = z
  .strictObject({
    dropOld: z.boolean().default(false).describe('Only forget the keys that seal nothing any more'),
  })
  .prefault({});
export const rotationAnswer = z.object({
  keyId: z.string().max(64),
  resealed: z.int().describe('Secrets that were sealed anew'),
  unreadable: z.array(z.string().max(1024)).max(100_000).describe('Secrets that no key at hand opens'),
  oldKeyIds: z.array(z.string().max(64)).max(100).describe('Keys that still open, and seal nothing any more'),
  droppedKeyIds: z.array(z.string().max(64)).max(100),
});

/** Groups that a kubeconfig may be issued for; what each may do is bound by the phase `master`. */
export const KUBECONFIG_GROUPS = [
  'kubewright:viewers',
  'kubewright:editors',
  'kubewright:cluster-admins',
  'system:masters',
] as const;
export const kubeconfigRequest = z
  .strictObject({
    group: z
      .enum(KUBECONFIG_GROUPS)
      .default('kubewright:viewers')
      .describe("What it may do; bounded by the token's role"),
    expiresIn: z
      .string()
      .regex(/^[1-9]\d{0,4}[mhd]$/, 'must be such as 30m, 24h or 7d')
      .default('24h')
      .describe('At least 10m, at most 30d'),
    name: dnsLabel.optional().describe("Whose it is: by default the token's name. Another one: admins only"),
  })
  .prefault({});

const reason = z.string().max(500).optional();
const onOperation = {
  operation: operationId.optional().describe('The operation that is meant; refused when it is not the running one'),
  expectedVersion: z.int().min(0).optional().describe('`version` of the view that this was decided on'),
  reason,
};
export const pauseRequest = z
  .strictObject({ mode: z.enum(['drain', 'interrupt']).default('drain'), ...onOperation })
  .prefault({});
export const actionRequest = z.strictObject(onOperation).prefault({});

const optionsByPhase = z.record(dnsLabel, z.record(z.string().max(64), z.unknown()));
const correctionsShape = {
  address: address.optional().describe('A corrected address of the host'),
  internalAddress: address.optional().describe('Its corrected address towards the other hosts'),
  ssh: sshSettings.optional().describe('Corrected SSH settings of the host, over those it has'),
  phases: optionsByPhase.optional().describe('Phase options of this host, over those it has'),
  clusterPhases: optionsByPhase.optional().describe('Phase options of all hosts, over spec.phases'),
};
/** What can be put right of one host while an operation waits. */
export const corrections = z.strictObject(correctionsShape);
export type Corrections = z.infer<typeof corrections>;
export const retryRequest = z
  .strictObject({
    phase: dnsLabel.optional().describe('Default: every blocked task of the host'),
    ...correctionsShape,
    ...onOperation,
  })
  .prefault({});
export const amendRequest = z
  .strictObject({ ...correctionsShape, ...onOperation })
  .refine((body) => Object.keys(correctionsShape).some((key) => key in body), 'must correct something');
/** The machine that takes a host's place. */
export const replacement = z.strictObject({
  address: address.describe('Where SSH reaches the new machine'),
  internalAddress: address.optional().describe('Its address towards the other hosts; default: address'),
  ssh: sshSettings.optional().describe('SSH settings, over those of the old machine'),
  hostKey: hostKey.optional().describe('Its host key; default: recorded at the first connection'),
});
export type Replacement = z.infer<typeof replacement>;
export const replaceRequest = replacement.extend(onOperation);
export const cancelRequest = z.strictObject({ operation: operationId.optional(), reason }).prefault({});
export const operationRequest = z.strictObject({
  kind: z.enum(['build', 'check', 'heal']),
  phases: z.array(dnsLabel).min(1).max(64).optional(),
  hosts: z.array(dnsLabel).min(1).max(1000).optional(),
});
