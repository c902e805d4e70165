import type { OperationStatus } from '../../contracts/operation.ts';

type Pause = NonNullable<OperationStatus['pause']>;

/** How often the store is asked while commands run, ms. Heartbeats would bring a cancellation, but only every few seconds. */
const READ_EVERY_MS = 250;

/** A task that is notified of a pause. */
export interface Watched {
  cluster: string;
  operationId: string;
  /** When the task was scheduled, ISO: only a later pause is meant for it. */
  since: string;
}

/** A task's place in the watch. */
export interface Watching {
  /** Asks the store now, for this task. */
  readPause(): Promise<void>;
  end(): void;
}

/** Notifies running tasks when their operation is paused; one read serves all tasks of an operation in this worker. */
export class PauseWatch {
  readonly #read: (cluster: string, operationId: string) => Promise<Pause | null>;
  readonly #everyMs: number;
  readonly #operations = new Map<string, { listeners: Set<(pause: Pause) => void>; timer: NodeJS.Timeout }>();

  constructor(read: (cluster: string, operationId: string) => Promise<Pause | null>, everyMs = READ_EVERY_MS) {
    this.#read = read;
    this.#everyMs = everyMs;
  }

  /** Calls back with every look that finds a pause, until it is ended. */
  watch({ cluster, operationId, since }: Watched, onPause: (mode: Pause['mode']) => void): Watching {
    const key = JSON.stringify([cluster, operationId]);
    const notify = (pause: Pause): void => {
      if (pause.at > since) onPause(pause.mode);
    };
    const { listeners } = this.#operations.get(key) ?? this.#begin(key, cluster, operationId);
    listeners.add(notify);
    return {
      readPause: () => this.#readPause(cluster, operationId, [notify]),
      end: () => {
        listeners.delete(notify);
        const operation = this.#operations.get(key);
        if (operation?.listeners !== listeners || listeners.size > 0) return;
        clearInterval(operation.timer);
        this.#operations.delete(key);
      },
    };
  }

  async #readPause(cluster: string, operationId: string, listeners: Iterable<(pause: Pause) => void>): Promise<void> {
    try {
      const pause = await this.#read(cluster, operationId);
      if (pause) for (const notify of [...listeners]) notify(pause);
    } catch {
      // A store that is unreachable fails the task's next command by itself, and Temporal delivers an interruption as well.
    }
  }

  #begin(key: string, cluster: string, operationId: string) {
    let reading = false;
    const listeners = new Set<(pause: Pause) => void>();
    const readPause = async (): Promise<void> => {
      if (reading) return;
      reading = true;
      await this.#readPause(cluster, operationId, listeners);
      reading = false;
    };
    const operation = { listeners, timer: setInterval(() => void readPause(), this.#everyMs) };
    this.#operations.set(key, operation);
    void readPause();
    return operation;
  }
}
