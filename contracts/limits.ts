/** Ceilings that hold everywhere. Zod-free: workflows import this file too. */
export const LIMITS = {
  /** RFC 1123 label. */
  dnsLabel: 63,
  hostsPerCluster: 1000,
  labelsPerHost: 64,
  taintsPerHost: 16,
  pathLength: 256,
  /** A spec as an HTTP request body; one of 1,000 hosts is about 400 KiB. */
  requestBodyBytes: 2 * 1024 * 1024,
  /** The same as YAML, which takes a hundred times as long to parse. */
  yamlBodyBytes: 1024 * 1024,
  /** Any other HTTP request body: the largest are decisions about 1,000 hosts. */
  commandBodyBytes: 256 * 1024,
  /** stdout or stderr kept of one command, in bytes; the rest is counted and marked as cut. */
  commandOutputBytes: 1024 * 1024,
  /** Evidence carried by one error, in characters: a pending activity's failure is cut to 4 KiB by the server. */
  evidenceChars: 2000,
  /** Request ids the cluster entity remembers for idempotency. */
  requestIds: 200,
  /** Operations the cluster entity remembers in its state; the store keeps them all. */
  operationsInState: 50,
  /** Commands that one operation takes: some 14 events each, and Temporal ends a history at 51,200, updates at 2,000. */
  commandsPerOperation: 1000,
  /** Decisions and pauses that an operation's status shows. */
  decisionsInStatus: 100,
  /** Operations that may wait behind the running one. */
  queuedOperations: 20,
  /** Tasks in flight per operation. */
  maxParallelTasks: 100,
  /** Tasks that one workflow runs: at 6 events each, and a write of their state now and then, below Temporal's 4,096. */
  tasksPerWorkflow: 500,
  /** Commands at once on one host: OpenSSH's MaxSessions is 10, and claims of the fence run beside them. */
  channelsPerHost: 5,
  /** Tasks in the status of an operation, and the most of an operation in a list; pages have the others. */
  tasksInline: 1000,
  /** Changes that are kept and shown of one task; their number is always whole. */
  changesPerTask: 200,
  /** Changes in the status of an operation, all its tasks together; pages of tasks have the others. */
  changesInline: 20_000,
  /** Items of one page of a list. */
  pageSize: 200,
} as const;
