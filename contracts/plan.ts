import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { HOST_FAILURE_POLICIES } from './operation.ts';
import { dnsLabel } from './primitives.ts';

/**
 * What a task waits for: the earlier phase on its own host, on every host of that phase, on a majority of them, or on
 * any one. A need on a phase that the plan does not hold is met.
 */
export const need = z.strictObject({
  phase: dnsLabel,
  on: z.enum(['same-host', 'every-host', 'quorum', 'any-host']),
});
export type Need = z.infer<typeof need>;

const milliseconds = z
  .int()
  .min(1)
  .max(7 * 24 * 3600 * 1000);

const hosts = z.array(dnsLabel).max(LIMITS.hostsPerCluster);

export const planPhase = z.strictObject({
  name: dnsLabel,
  title: z.string().max(80),
  /** Host names, in the order of the spec. The pseudo host `cluster` stands for phases that run in the worker. */
  hosts: z.array(dnsLabel).min(1).max(LIMITS.hostsPerCluster),
  needs: z.array(need).max(200),
  /** Tasks of this phase in flight at once. */
  maxParallel: z.int().min(1).max(LIMITS.hostsPerCluster),
  startToCloseMs: milliseconds,
  /** Expected duration of one task, for the progress display only. */
  expectedMs: milliseconds,
  /** Its one task acts for the whole cluster, so its input lists the excluded hosts. */
  clusterWide: z.boolean().default(false),
  /** Hosts that take its one task when its host is left out, in this order. Absent = none could. */
  standIns: hosts.optional(),
  /** Hosts of it that let the others in by their addresses: when a host is replaced, their tasks run again. */
  admits: hosts.default([]),
  /** Hosts that leave the cluster: its tasks bring their own host to the spec without these. Absent = none. */
  without: hosts.optional(),
});
export type PlanPhase = z.infer<typeof planPhase>;

/**
 * How many hosts may be changed at once in what they serve. A task of these phases on these hosts changes something only while its host is
 * in the window: from its first such task until all of its tasks of these phases are done.
 */
export const planWindow = z.strictObject({
  /** What is disrupted: `etcd`, `control-plane`, `load-balancer` or `node`. */
  what: z.string().max(40),
  phases: z.array(dnsLabel).min(1).max(64),
  /** Hosts that served before this operation; new ones disrupt nothing. */
  hosts,
  /** New hosts whose tasks begin when those of `hosts` are over: these have to know them first. Absent: none. */
  joining: hosts.optional(),
  atMost: z.int().min(1).max(LIMITS.hostsPerCluster),
  /** What has to be done before a host is changed here: clients are changed after what they connect to. Absent: nothing. */
  after: z.array(need).max(64).optional(),
});
export type PlanWindow = z.infer<typeof planWindow>;

export const retryPolicy = z.strictObject({
  maximumAttempts: z.int().min(1).max(100),
  initialIntervalMs: milliseconds,
  maximumIntervalMs: milliseconds,
  backoffCoefficient: z.number().min(1).max(10),
});

/** An operation resolved to data. It is an activity's result, so it is in history: later phase edits cannot break replay. */
export const plan = z.strictObject({
  planVersion: z.literal(1),
  cluster: dnsLabel,
  kind: dnsLabel,
  /** sha256 of the canonical spec; activities load the spec by it. */
  specRef: z.string().regex(/^[0-9a-f]{64}$/),
  mode: z.enum(['apply', 'check']),
  phases: z.array(planPhase).min(1).max(200),
  /** Hosts in quarantine that the operation leaves out, in the order of the spec. */
  quarantined: hosts.default([]),
  /** What quarantine must leave of the cluster. */
  quorum: z
    .array(z.strictObject({ what: z.string().max(80), hosts, least: z.int().min(0) }))
    .max(16)
    .default([]),
  /** What becomes of a host that fails without a person at hand, and how many hosts at most. */
  policy: z
    .strictObject({
      onHostFailure: z.enum(HOST_FAILURE_POLICIES),
      maxQuarantined: z.int().min(0).max(LIMITS.hostsPerCluster),
    })
    .default({ onHostFailure: 'wait', maxQuarantined: 0 }),
  /** What cluster-wide phases limit themselves to: the hosts of a heal. Absent = every host that is in. */
  focus: hosts.optional(),
  /** At the end the cluster's health is looked at, on these hosts: control planes first. Absent: it is not. */
  health: z.strictObject({ hosts }).optional(),
  /** Changes to a cluster that serves. Absent: every host may be changed at once. */
  windows: z.array(planWindow).max(8).optional(),
  maxParallel: z.int().min(1).max(2000),
  /** A plan of more tasks is run in batches of at most so many: histories stay short. */
  tasksPerWorkflow: z.int().min(1).max(2000).default(LIMITS.tasksPerWorkflow),
  heartbeatTimeoutMs: milliseconds,
  retry: retryPolicy,
});
export type Plan = z.infer<typeof plan>;
