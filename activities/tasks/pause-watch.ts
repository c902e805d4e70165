import type { OperationStatus } from '../../contracts/operation.ts';

type Pause = NonNullable<OperationStatus['pause']>;

/** How often the store is asked while commands run, ms. Heartbeats would bring a cancellation, but only every few seconds. */
const LOOK_EVERY_MS = 250;

/** A task that wants to know of a pause. */
export interface Watched {
  cluster: string;
  operationId: string;
  /** When the task was scheduled, ISO: only a later pause is meant for it. */
  since: string;
}

/** A task's place in the watch. */
export interface Watching {
  /** Asks the store now, for this task. */
  look(): Promise<void>;
  end(): void;
}

/** Notifies running tasks when their operation is paused; one read serves all tasks of an operation in this worker. */
export class PauseWatch {
  readonly #read: (cluster: string, operationId: string) => Promise<Pause | null>;
  readonly #everyMs: number;
  readonly #operations = new Map<string, { told: Set<(pause: Pause) => void>; timer: NodeJS.Timeout }>();

  constructor(read: (cluster: string, operationId: string) => Promise<Pause | null>, everyMs = LOOK_EVERY_MS) {
    this.#read = read;
    this.#everyMs = everyMs;
  }

  /** Calls back with every look that finds a pause, until it is ended. */
  watch({ cluster, operationId, since }: Watched, onPause: (mode: Pause['mode']) => void): Watching {
    const key = JSON.stringify([cluster, operationId]);
    const tell = (pause: Pause): void => {
      if (pause.at > since) onPause(pause.mode);
    };
    const { told } = this.#operations.get(key) ?? this.#begin(key, cluster, operationId);
    told.add(tell);
    return {
      look: () => this.#look(cluster, operationId, [tell]),
      end: () => {
        told.delete(tell);
        const operation = this.#operations.get(key);
        if (operation?.told !== told || told.size > 0) return;
        clearInterval(operation.timer);
        this.#operations.delete(key);
      },
    };
  }

  async #look(cluster: string, operationId: string, told: Iterable<(pause: Pause) => void>): Promise<void> {
    try {
      const pause = await this.#read(cluster, operationId);
      if (pause) for (const tell of [...told]) tell(pause);
    } catch {
      // A store that is away fails the task's next command by itself, and Temporal delivers an interruption as well.
    }
  }

  #begin(key: string, cluster: string, operationId: string) {
    let looking = false;
    const told = new Set<(pause: Pause) => void>();
    const look = async (): Promise<void> => {
      if (looking) return;
      looking = true;
      await this.#look(cluster, operationId, told);
      looking = false;
    };
    const operation = { told, timer: setInterval(() => void look(), this.#everyMs) };
    this.#operations.set(key, operation);
    void look();
    return operation;
  }
}
