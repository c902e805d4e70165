import { z } from 'zod';
import { credentialScope } from './credential.ts';
import { ERRORS, type ErrorCode } from './errors.ts';
import { hostKey, ROLES, sshSettings } from './host.ts';
import { LIMITS } from './limits.ts';
import { ACTORS } from './messages.ts';
import { OPERATION_STATES, TASK_STATES } from './operation.ts';
import { need, plan } from './plan.ts';
import { address, dnsLabel } from './primitives.ts';
import { journalRecord } from './record.ts';
import {
  change,
  errorReport,
  health,
  operationId,
  operationStatus,
  pauseInfo,
  quarantinedHost,
  taskChanges,
  taskStatus,
} from './status.ts';

export { health, operationId, operationStatus };

/** Bodies and answers of the HTTP API, beside ClusterSpec. An answer has what its schema names, and nothing else. */

const time = z.iso.datetime().max(32).describe('ISO 8601, UTC');
const text = z.string().max(8192);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const codes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

const cursor = z.string().max(256);
const inlineTasks = z
  .array(taskStatus)
  .max(LIMITS.tasksInline)
  .describe('In the order of the plan; the first 1,000: GET .../tasks pages through all of them');
const taskCounts = z.partialRecord(z.enum(TASK_STATES), z.int()).describe('Tasks per state');

/** An operation in a list. */
export const listedOperation = operationStatus.extend({
  tasks: inlineTasks.describe('Empty when the operation has more than 1,000 tasks: page through them instead'),
  taskCounts,
});

/** One operation; `changes` and `plan` only when they are asked for. */
export const operationDetail = operationStatus.extend({
  durationMs: z.number().optional(),
  tasks: inlineTasks,
  taskCounts,
  tasksNext: cursor
    .nullable()
    .describe('When there are more than 1,000 tasks: the `cursor` of GET .../tasks that lists the others; else null'),
  changes: z
    .array(taskChanges)
    .max(LIMITS.tasksInline)
    .describe(
      'Only with `changes=true`: what each task in `tasks` changed, or in a dry run would change; 20,000 changes in all, GET .../tasks has the others',
    ),
  plan: plan
    .nullable()
    .optional()
    .describe(
      'Only with `plan=true`: phases, hosts, needs and limits, as the operation runs them. Null: it is not made yet, or an earlier version made it, which kept no plans',
    ),
});

/** Data of the events of a cluster's stream: `ready`, `operation` (an operation without its tasks), `task`. */
/** Types of events that a follower may choose, beside `ready` and `missed`, which each stream has. */
export const EVENT_TYPES = ['operation', 'task'] as const;
/** Data of `ready`, `missed`, `operation` and `task`. */
export const clusterEvent = z.union([
  z.strictObject({ cluster: text.optional().describe('The one cluster that the stream is of') }),
  z.strictObject({
    after: z
      .string()
      .max(32)
      .describe('The id that was continued from: events behind it are gone; read again what you know of clusters'),
  }),
  operationStatus.omit({ tasks: true }),
  taskStatus.extend({ operationId, cluster: text }),
]);

export const links = z.object({ cluster: text, operation: text, tasks: text, events: text, history: text });
export const accepted = z.object({ cluster: text, operation: operationId, links });

export const dryRunAnswer = z.object({
  cluster: text,
  operation: operationId,
  state: z.enum(OPERATION_STATES),
  plan: z
    .array(z.object({ name: text, title: text, hosts: z.array(text).max(1000), needs: z.array(need).max(200) }))
    .max(200),
  hosts: z.array(z.object({ host: text, changes: z.array(change.extend({ phase: text })).max(20_000) })).max(1001),
  changeCount: z.int(),
  errors: z.array(errorReport).max(1000),
  health: health.optional().describe('Health of the cluster; `unknown` when there is no cluster yet'),
  links,
});

export const clusterSummary = z.object({
  name: text,
  state: text.describe('`degraded`: the cluster is built, but hosts are in quarantine or its health is degraded'),
  health: health
    .nullable()
    .describe('Result of the last health check; null: no check yet. Lists show at most 5 reasons, without evidence'),
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
  blames: z
    .array(text)
    .max(1000)
    .optional()
    .describe('Other hosts that cause the failure; decisions may name them too'),
  code: z.enum(codes),
  cause: text,
  evidence: text.optional(),
  hint: text,
  policy: text.optional().describe('Why the policy of the cluster did not decide'),
});

export const clusterDetail = clusterSummary.extend({
  spec: z
    .record(text, z.unknown())
    .describe('The desired state with all defaults; change it and POST it for the next build'),
  hosts: z
    .array(
      z.object({
        name: text,
        address: text,
        roles: z.array(z.enum(ROLES)).max(ROLES.length),
        state: z.enum(['pending', 'running', 'blocked', 'done', 'failed', 'quarantined']),
        tasksDone: z.int(),
        tasks: z.int(),
        quarantined: quarantinedHost.optional().describe('When, by whom and why the host was put into quarantine'),
      }),
    )
    .max(1000),
  tasks: inlineTasks,
  taskCounts,
  blockedHosts: z.array(blockedHost).max(1000),
  pause: pauseInfo.optional().describe('Who paused the operation, when and why'),
  quarantinedHosts: operationStatus.shape.quarantinedHosts,
  version: operationStatus.shape.version,
  decisions: operationStatus.shape.decisions,
  error: errorReport.optional().describe('Why the operation failed, when the cause is not one task'),
  timings: z.object({
    startedAt: time.optional(),
    endedAt: time.optional(),
    elapsedMs: z.number().optional(),
    phases: z
      .array(z.object({ phase: text, firstStartedAt: time, lastEndedAt: time.optional(), ms: z.number() }))
      .max(200),
  }),
  smokeImage: z.string().max(512).nullable().describe('Image of busybox in the registry of the cluster, for test pods'),
  links: links.partial().extend({ cluster: text }),
});

/** A list and where it goes on; `next` is the `cursor` of the next page, null on the last. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item).max(1000), next: cursor.nullable() });

/** A page of the tasks of an operation. */
export const taskPage = pageOf(
  taskStatus.extend({
    changes: taskChanges.shape.changes
      .optional()
      .describe('Only with `changes=true`: the first 200 of what it changed, or in a dry run would change'),
  }),
);

/** A record of the journal in a cluster's history. */
export const historyRecord = journalRecord.extend({
  eventId: z.string().max(20).nullable().describe('Id of the workflow event that scheduled the task of this command'),
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
  events: z.array(workflowEvent).max(60_000).describe('Workflow events of the operation; only on the first page'),
  items: z.array(historyRecord).max(1000),
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
  kind: z.enum(['key', 'password', 'proxy', 'registry-login', 'client-certificate']),
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
  clusters: z.array(text).max(100).nullable().describe('Clusters that the token may access; null: all'),
});
export const tokenRequest = z.strictObject({
  name: dnsLabel.refine(
    (name) => !(Object.values(ACTORS) as string[]).includes(name),
    'is reserved: it names requests without a token and acts of the service itself',
  ),
  role: tokenRole,
  expiresAt: z.iso.datetime().max(32).optional(),
  clusters: z
    .array(dnsLabel.max(40))
    .min(1)
    .max(100)
    .optional()
    .describe('Clusters that the token may access, existing or not. Absent: all clusters, and the service itself'),
});

/** Who a session belongs to: the token of its login. */
const sessionActor = z.object({ name: text, role: tokenRole, id: text });
export const loginAnswer = z.object({
  id: text,
  expiresAt: time.describe('Its end, used or not. Without a request it ends after 8 hours'),
  actor: sessionActor,
  clusters: z.array(text).max(100).nullable().describe('Clusters that the session may access; null: all'),
});
export const sessionInfo = loginAnswer.extend({
  createdAt: time,
  seenAt: time.describe('Time of its last request, to the minute'),
});
const loginSecret = z.string().min(1).max(256);
export const loginRequest = z.union([
  z.strictObject({ code: loginSecret.describe('Of POST /login-codes; valid once') }),
  z.strictObject({ token: loginSecret.describe('A bearer token') }),
]);
export const loginCode = z.object({
  code: z.string().max(64),
  expiresAt: time,
  path: z
    .string()
    .max(200)
    .describe('Of the link that logs in; the code is in the fragment, which browsers never send'),
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
    dropOld: z.boolean().default(false).describe('Encrypt nothing; only delete old keys that no secret uses'),
  })
  .prefault({});
export const rotationAnswer = z.object({
  keyId: z.string().max(64),
  resealed: z.int().describe('Number of secrets that were encrypted with the new key'),
  unreadable: z.array(z.string().max(1024)).max(100_000).describe('Names of secrets that no available key can decrypt'),
  oldKeyIds: z.array(z.string().max(64)).max(100).describe('Ids of old keys that no secret uses any more'),
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
      .describe('Rights in the cluster; at most those of the role of the token'),
    expiresIn: z
      .string()
      .regex(/^[1-9]\d{0,4}[mhd]$/, 'must be such as 30m, 24h or 7d')
      .default('24h')
      .describe('Lifetime, from 10m to 30d'),
    name: dnsLabel
      .optional()
      .describe('User name in the certificate; default: the name of the token. Only admins may give another one'),
  })
  .prefault({});

const certificate = z.string().max(65_536).describe('PEM, in base64');
/** A kubeconfig of one user in one cluster, as it reads once its YAML is parsed. */
export const kubeconfigDocument = z.object({
  apiVersion: z.literal('v1'),
  kind: z.literal('Config'),
  clusters: z
    .array(z.object({ name: text, cluster: z.object({ server: text, 'certificate-authority-data': certificate }) }))
    .length(1),
  users: z
    .array(
      z.object({
        name: text,
        user: z.object({ 'client-certificate-data': certificate, 'client-key-data': certificate }),
      }),
    )
    .length(1),
  contexts: z.array(z.object({ name: text, context: z.object({ cluster: text, user: text }) })).length(1),
  'current-context': text,
});

const reason = z.string().max(500).optional();
const onOperation = {
  operation: operationId
    .optional()
    .describe('Id of the running operation; the action is refused when another one runs'),
  expectedVersion: z.int().min(0).optional().describe('`version` of the view that the decision is based on'),
  reason,
};
export const pauseRequest = z
  .strictObject({ mode: z.enum(['drain', 'interrupt']).default('drain'), ...onOperation })
  .prefault({});
export const actionRequest = z.strictObject(onOperation).prefault({});

const optionsByPhase = z.record(dnsLabel, z.record(z.string().max(64), z.unknown()));
const correctionsShape = {
  address: address.optional().describe('New SSH address of the host'),
  internalAddress: address.optional().describe('New address that the other hosts use'),
  ssh: sshSettings.optional().describe('SSH settings of the host, merged over the present ones'),
  phases: optionsByPhase.optional().describe('Phase options of this host, merged over the present ones'),
  clusterPhases: optionsByPhase.optional().describe('Phase options of all hosts, merged over spec.phases'),
};
/** What can be put right of one host while an operation waits. */
export const corrections = z.strictObject(correctionsShape);
export type Corrections = z.infer<typeof corrections>;
export const retryRequest = z
  .strictObject({
    phase: dnsLabel.optional().describe('Phase of the blocked task; default: all blocked tasks of the host'),
    ...correctionsShape,
    ...onOperation,
  })
  .prefault({});
export const amendRequest = z
  .strictObject({ ...correctionsShape, ...onOperation })
  .refine((body) => Object.keys(correctionsShape).some((key) => key in body), 'must correct something');
/** The machine that takes a host's place. */
export const replacement = z.strictObject({
  address: address.describe('SSH address of the new machine'),
  internalAddress: address.optional().describe('Address that the other hosts use; default: `address`'),
  ssh: sshSettings.optional().describe('SSH settings, merged over those of the old machine'),
  hostKey: hostKey.optional().describe('SSH host key of the new machine; default: the key of the first connection'),
});
export type Replacement = z.infer<typeof replacement>;
export const replaceRequest = replacement.extend(onOperation);
export const cancelRequest = z.strictObject({ operation: operationId.optional(), reason }).prefault({});

/** What an inventory of another tool became. */
export const importedInventory = z.object({
  format: dnsLabel.describe('Format that the text was read as'),
  spec: z
    .string()
    .max(3 * LIMITS.yamlBodyBytes)
    .describe('The spec as YAML: read it, correct it, send it to POST /clusters'),
  unmapped: z
    .array(
      z.object({
        path: z.string().max(320).describe('Where it stands in the inventory, such as `all.vars.kube_version`'),
        value: z.string().max(1024).optional().describe('Absent for secrets'),
        reason: z.string().max(1000),
      }),
    )
    .max(500)
    .describe('What of the inventory the spec does not have'),
  problems: z
    .array(z.object({ path: z.string().max(1000), message: z.string().max(2000) }))
    .max(200)
    .describe('What has to be corrected before POST /clusters accepts the spec'),
});
