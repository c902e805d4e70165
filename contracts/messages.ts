/** Names that cross process borders: workflow types, messages, task queues, search attributes. Zod-free. */

export const NAMESPACE = 'kube';

export const TASK_QUEUES = {
  /** Workflow tasks only. */
  workflows: 'kube-wf',
  /** Store and plan activities. */
  control: 'kube-ctl',
  /** Phase activities of hosts that this site's workers reach. */
  ssh: 'ssh.default',
} as const;

export const WORKFLOWS = { cluster: 'cluster', operation: 'operation', phaseBatch: 'phaseBatch' } as const;

export const UPDATES = {
  submitOperation: 'submitOperation',
  decide: 'decide',
  pause: 'pause',
  resume: 'resume',
  amend: 'amend',
  cancelOperation: 'cancelOperation',
} as const;

export const SIGNALS = {
  /** Entity to operation. */
  cancel: 'cancel',
  /** Operation to entity: its state changed. */
  operationEvent: 'operationEvent',
  /** Operation to batch: orders. Batch to operation: how far it is. */
  batchCommand: 'batchCommand',
  batchReport: 'batchReport',
} as const;

export const QUERIES = { status: 'status' } as const;

/** Activities on the control queue. Phase activities are named as their phase. */
export const CONTROL_ACTIVITIES = {
  makePlan: 'makePlan',
  projectStatus: 'projectStatus',
  projectTasks: 'projectTasks',
  closeOperation: 'closeOperation',
  forgetHost: 'forgetHost',
  takeCommand: 'takeCommand',
} as const;

/** The activity that looks at a cluster's health, on the ssh queue. No phase has this name. */
export const HEALTH_ACTIVITY = 'lookAtHealth';

/** Workflow id of the entity of a cluster. */
export const clusterWorkflowId = (cluster: string): string => `cluster/${cluster}`;

/** Workflow id of one operation. */
export const operationWorkflowId = (cluster: string, operationId: string): string =>
  `cluster/${cluster}/op/${operationId}`;

/** Workflow id of a batch of an operation; `run` counts its repetitions. */
export const batchWorkflowId = (cluster: string, operationId: string, batch: number, run: number): string =>
  `${operationWorkflowId(cluster, operationId)}/batch/${batch}${run === 0 ? '' : `.${run}`}`;

/** Host name of tasks that run in the worker process itself. Not a legal host of a spec with this role. */
export const CONTROLLER_HOST = 'cluster';

/** Search attributes that our workflows set, with their types. The launcher and the production setup register them. */
export const SEARCH_ATTRIBUTES = {
  ClusterId: 'KEYWORD',
  OpId: 'KEYWORD',
  OpType: 'KEYWORD',
  State: 'KEYWORD',
  NeedsDecision: 'BOOL',
  Paused: 'BOOL',
  BlockedHosts: 'KEYWORD_LIST',
} as const;

/** Days that Temporal keeps closed workflows. Our journal has no such limit. */
export const RETENTION_DAYS = 90;

/** What makes two requests the same one. Not the request id, the actor or `ifBusy`. */
export function requestDigest(request: {
  kind: string;
  specRef: string;
  mode: string;
  phases?: readonly string[] | undefined;
  hosts?: readonly string[] | undefined;
  replaced?: readonly string[] | undefined;
  options?: Readonly<Record<string, unknown>> | undefined;
}): string {
  const { kind, specRef, mode, phases, hosts, replaced, options } = request;
  const asked = [kind, specRef, mode, phases ?? null, hosts ?? null, replaced ?? null];
  return hash53(JSON.stringify(options ? [...asked, options] : asked));
}

/**
 * Update id of `submitOperation`. It holds the request's digest too: the server answers a repeated update id with the
 * first outcome without asking the validator, and a reused key with another body must reach the validator.
 */
export const submitUpdateId = (requestId: string, request: Parameters<typeof requestDigest>[0]): string =>
  `${requestId}:${requestDigest(request)}`;

/** A 53 bit string hash (cyrb53): no crypto in workflows, and a collision with one's own key gives no advantage. */
function hash53(text: string): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36);
}

/** Who did something when no token did: not to be had as a token's name. */
export const ACTORS = { anonymous: 'anonymous', policy: 'policy', service: 'kubewright' } as const;
