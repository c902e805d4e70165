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

export const WORKFLOWS = { cluster: 'cluster', operation: 'operation' } as const;

export const UPDATES = {
  submitOperation: 'submitOperation',
  decide: 'decide',
  pause: 'pause',
  resume: 'resume',
  cancelOperation: 'cancelOperation',
} as const;

export const SIGNALS = {
  /** Entity to operation: pause, resume, decisions. */
  command: 'command',
  /** Operation to entity: its state changed. */
  operationEvent: 'operationEvent',
} as const;

export const QUERIES = { status: 'status' } as const;

/** Activities on the control queue. Phase activities are named as their phase. */
export const CONTROL_ACTIVITIES = {
  makePlan: 'makePlan',
  projectStatus: 'projectStatus',
  closeOperation: 'closeOperation',
} as const;

/** Workflow id of the entity of a cluster. */
export const clusterWorkflowId = (cluster: string): string => `cluster/${cluster}`;

/** Workflow id of one operation. */
export const operationWorkflowId = (cluster: string, operationId: string): string =>
  `cluster/${cluster}/op/${operationId}`;

/** Host name of tasks that run in the worker process itself. Not a legal host of a spec with this role. */
export const WORKER_HOST = 'cluster';
