import { LIMITS } from '../../contracts/limits.ts';
import type { OperationStatus, TaskStatus } from '../../contracts/operation.ts';
import type { JournalEntry } from '../../contracts/record.ts';
import type { PhaseTiming } from './progress.ts';

/** The few API calls that demo, bench and e2e make. Throws with the problem document's words. */
export class ApiClient {
  readonly url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.url = url;
    this.#token = token;
  }

  async request<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(90_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status} ${text.slice(0, 2000)}`);
    return (response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text) as T;
  }

  async phases(): Promise<PhaseTiming[]> {
    const answer = await this.request<{ items: PhaseTiming[] }>('GET', '/phases');
    return answer.items;
  }

  /** The operation with all its tasks: those that its status does not hold are read from their pages. */
  async operation(cluster: string, id: string): Promise<OperationStatus> {
    const path = `/clusters/${cluster}/operations/${id}`;
    const status = await this.request<OperationStatus & { tasksNext: string | null }>('GET', path);
    for (let cursor = status.tasksNext; cursor !== null; ) {
      const page: { items: TaskStatus[]; next: string | null } = await this.request(
        'GET',
        `${path}/tasks?limit=${LIMITS.pageSize}&cursor=${cursor}`,
      );
      status.tasks.push(...page.items);
      cursor = page.next;
    }
    return status;
  }

  /** Every command of an operation, all pages. */
  async commands(cluster: string, filter: { operation: string; host?: string }): Promise<JournalEntry[]> {
    const found: JournalEntry[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query = new URLSearchParams({ ...filter, limit: '200', ...(cursor === '' ? {} : { cursor }) });
      const page: { items: JournalEntry[]; next: string | null } = await this.request(
        'GET',
        `/clusters/${cluster}/history?${query.toString()}`,
      );
      found.push(...page.items);
      cursor = page.next;
    }
    return found;
  }

  /** Polls until the operation ends or blocks. */
  async follow(
    cluster: string,
    id: string,
    onStatus: (status: OperationStatus) => void = () => undefined,
    until: readonly OperationStatus['state'][] = ['succeeded', 'failed', 'cancelled', 'lost', 'blocked'],
  ): Promise<OperationStatus> {
    for (;;) {
      const status = await this.operation(cluster, id);
      onStatus(status);
      if (until.includes(status.state)) return status;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
