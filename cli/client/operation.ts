import { ERRORS } from '../../contracts/error-catalogue.ts';
import type { OperationStatus, TaskStatus } from '../../contracts/operation.ts';
import type { Api } from './api.ts';
import { CLASS_EXIT, CLI_EXIT } from './exit-codes.ts';
import { note, say } from './print.ts';

/** States in which nothing more happens without a person, or at all. */
const RESTING: readonly OperationStatus['state'][] = ['succeeded', 'failed', 'cancelled', 'lost', 'blocked', 'paused'];

export const operationPath = (cluster: string, id: string): string =>
  `/clusters/${encodeURIComponent(cluster)}/operations/${encodeURIComponent(id)}`;

/** The newest operation of a cluster. */
export async function latestOperation(api: Api, cluster: string): Promise<string> {
  const { items } = await api.request<{ items: OperationStatus[] }>(
    'GET',
    `/clusters/${encodeURIComponent(cluster)}/operations`,
    { query: { limit: '1' } },
  );
  return items[0]!.operationId;
}

/**
 * Follows an operation by the events of its cluster, a line per change of a task, until it rests. A cut stream is opened again behind the last
 * event. Returns its last state; undefined after `timeoutMs`.
 */
export async function watchOperation(
  api: Api,
  cluster: string,
  id: string,
  { timeoutMs }: { timeoutMs?: number | undefined } = {},
): Promise<OperationStatus | undefined> {
  const until = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const read = () => api.request<OperationStatus>('GET', operationPath(cluster, id));
  let last: string | undefined;
  const shown = new Set<string>();
  /** Once for each state of an attempt: the status and the stream have the same changes. */
  const show = (task: TaskStatus): void => {
    const key = [task.phase, task.host, task.state, task.attempt, task.decision].join(' ');
    if (task.state === 'pending' || shown.has(key)) return;
    shown.add(key);
    say(taskLine(task));
  };
  for (let status = await read(); ; status = await read()) {
    for (const task of status.tasks) show(task);
    if (RESTING.includes(status.state)) return status;
    if (until?.aborted) return undefined;
    try {
      for await (const { id: event, type, data } of eventsOf(api, cluster, last, until)) {
        last = event ?? last;
        if (type === 'task' && data['operationId'] === id) show(data as unknown as TaskStatus);
        if (type === 'operation' && data['operationId'] === id) {
          note(`operation ${id}: ${String(data['state'])}`);
          if (RESTING.includes(data['state'] as OperationStatus['state'])) break;
        }
        // What happened between the status above and the stream's beginning is read again.
        if (type === 'ready' && RESTING.includes((await read()).state)) break;
      }
    } catch (error) {
      if (until?.aborted) return undefined;
      if ((error as Error).name === 'ApiError') throw error;
      note(`the stream of events was cut (${(error as Error).message}); it is opened again`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

interface ServerEvent {
  id: string | undefined;
  type: string;
  data: Record<string, unknown>;
}

/** Server-sent events of a cluster, behind an id where one is given. */
export async function* eventsOf(
  api: Api,
  cluster: string,
  after: string | undefined,
  signal?: AbortSignal,
): AsyncGenerator<ServerEvent> {
  const aborting = new AbortController();
  const both = signal ? AbortSignal.any([signal, aborting.signal]) : aborting.signal;
  const headers = { accept: 'text/event-stream', ...(after === undefined ? {} : { 'last-event-id': after }) };
  try {
    let [id, type, data] = [undefined as string | undefined, 'message', ''];
    for await (const line of api.lines(`/clusters/${encodeURIComponent(cluster)}/events`, headers, both)) {
      if (line === '') {
        if (data !== '') yield { id, type, data: JSON.parse(data) as Record<string, unknown> };
        [type, data] = ['message', ''];
      } else if (line.startsWith('id: ')) id = line.slice(4);
      else if (line.startsWith('event: ')) type = line.slice(7);
      else if (line.startsWith('data: ')) data += line.slice(6);
    }
  } finally {
    aborting.abort();
  }
}

function taskLine({ phase, host, state, attempt, changeCount, error }: TaskStatus): string {
  const more = [
    attempt > 1 ? `attempt ${attempt}` : '',
    changeCount === undefined || changeCount === 0 ? '' : `${changeCount} changes`,
    error ? `${error.code}: ${error.message}` : '',
  ].filter((part) => part !== '');
  return `${host.padEnd(16)} ${phase.padEnd(18)} ${state}${more.length === 0 ? '' : ` (${more.join('; ')})`}`;
}

/** The exit code of an operation that rests, and why on standard error: the class of its first error. */
export function reportEnd(status: OperationStatus | undefined, cluster: string): number {
  if (!status) {
    note('kubewright: the operation still runs; it goes on without this command');
    return CLI_EXIT.timeout;
  }
  if (status.state === 'succeeded') return CLI_EXIT.ok;
  if (status.state === 'paused') {
    note(`operation ${status.operationId} is paused: kubewright resume ${cluster}`);
    return CLI_EXIT.ok;
  }
  const failed = status.tasks.filter(({ error, state }) => error && (state === 'blocked' || state === 'failed'));
  for (const { phase, host, error } of failed) {
    note(`${phase} on ${host}: ${error!.message} (${error!.code})`);
    if (error!.evidence) note(`  evidence:\n    ${error!.evidence.replaceAll('\n', '\n    ')}`);
    note(`  what to do: ${ERRORS[error!.code].hint}`);
  }
  if (status.error) note(`kubewright: ${status.error.message} (${status.error.code})`);
  if (status.state === 'blocked') {
    note(
      `operation ${status.operationId} is blocked: kubewright retry|skip|replace ${cluster} HOST, or kubewright cancel ${cluster}`,
    );
  }
  const code = (failed[0]?.error ?? status.error)?.code;
  return code === undefined ? CLI_EXIT.ended : CLASS_EXIT[ERRORS[code].class];
}

/** Ctrl-C leaves the operation running: that is said, and the exit code is that of the signal. */
export function detachOnInterrupt(cluster: string): void {
  process.once('SIGINT', () => {
    note(`\nthe operation goes on; kubewright watch ${cluster} follows it again`);
    process.exit(130);
  });
}
