import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OperationStatus } from '../../../contracts/operation.ts';
import type { Cluster } from './cluster.ts';
import type { Place } from './points.ts';

/** How often the journal is looked at while a command is waited for, ms. */
const READ_MS = 2;
const STATUS_MS = 25;
/** From the start of the processes to the first answer on a busy machine. */
const ACCEPTED_MS = 4 * 60_000;
/** A build takes about a minute, each fault up to half a minute more; a hung one ends with what was seen. */
const LIMIT_MS = 10 * 60_000;
const ENDED: readonly OperationStatus['state'][] = ['succeeded', 'failed', 'cancelled'];

/** A build that is followed in the store, whichever of our processes lives. */
export class WatchedBuild {
  readonly operation: string;
  readonly #at: Cluster;
  readonly #deadline = Date.now() + LIMIT_MS;

  private constructor(at: Cluster, operation: string) {
    this.#at = at;
    this.operation = operation;
  }

  /** POST the lab's spec; again under the same key while no worker takes it, for a process may just be starting. */
  static async start(at: Cluster): Promise<WatchedBuild> {
    const key = { 'idempotency-key': randomUUID() };
    const deadline = Date.now() + ACCEPTED_MS;
    for (;;) {
      try {
        const { operation } = await at.services.api.request<{ operation: string }>(
          'POST',
          '/clusters',
          at.lab.spec,
          key,
        );
        return new WatchedBuild(at, operation);
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await sleep(500);
      }
    }
  }

  /** Throws with all that is known once the build has taken too long. */
  async status(): Promise<OperationStatus> {
    const { lab, services, journal } = this.#at;
    const found = await journal.status(lab.name, this.operation);
    if (found && Date.now() < this.#deadline) return found;
    const logs = (['worker', 'api', 'temporal'] as const).map((name) => `--- ${name}\n${services.logTail(name, 15)}`);
    const state = found ? `${found.state}: ${openTasks(found)}` : 'unknown';
    throw new Error(`the build did not end in ${LIMIT_MS / 60_000} minutes; it is ${state}\n${logs.join('\n')}`);
  }

  /** Waits for a state of things; the end of the build ends the wait as well. */
  async until(
    wish: (status: OperationStatus) => boolean,
    meanwhile: () => Promise<void> = async () => undefined,
  ): Promise<OperationStatus> {
    for (;;) {
      const status = await this.status();
      if (wish(status) || ENDED.includes(status.state)) return status;
      await meanwhile();
      await sleep(STATUS_MS);
    }
  }

  ended(meanwhile?: () => Promise<void>): Promise<OperationStatus> {
    return this.until(() => false, meanwhile);
  }

  /** Waits for the begin or end of a task's command. Where the task did not need it this time, for the task's end. */
  async untilReached(place: Place & { side: 'begin' | 'end' }, meanwhile?: () => Promise<void>): Promise<void> {
    for (let looks = 0; !this.#at.journal.reached(this.operation, place); looks += 1) {
      await sleep(READ_MS);
      if (looks % 50 !== 0) continue;
      await meanwhile?.();
      const { state, tasks } = await this.status();
      const task = tasks.find(({ phase, host }) => phase === place.phase && host === place.host);
      if (ENDED.includes(state) || task?.state === 'succeeded') return;
    }
  }
}

function openTasks({ tasks }: OperationStatus): string {
  return tasks
    .filter(({ state }) => !['succeeded', 'pending'].includes(state))
    .map(({ phase, host, state, error }) => `${phase} on ${host} ${state} ${error?.code ?? ''} ${error?.message ?? ''}`)
    .join('; ');
}
