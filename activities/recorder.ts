import type { CommandEnd, CommandRecorder, CommandStart } from './host/types.ts';

/** Which attempt a command belongs to: joins the journal with Temporal's history. */
export interface AttemptRef {
  namespace: string;
  workflowId: string;
  runId: string;
  activityId: string;
  attempt: number;
}

/** The journal's part that a task writes. Implemented by the store. */
export interface JournalWriter {
  begin(
    record: CommandStart & AttemptRef & { cluster: string; operation: string; phase: string; seq: number },
  ): Promise<string>;
  end(id: string, record: CommandEnd): Promise<void>;
}

/** Records the commands of one attempt, numbered from 1, and adds up what they cost. */
export class TaskRecorder implements CommandRecorder {
  commands = 0;
  commandMs = 0;
  readonly #journal: JournalWriter;
  readonly #task: AttemptRef & { cluster: string; operation: string; phase: string };
  readonly #open = new Map<number, { id: string; startedAt: Date }>();

  constructor(journal: JournalWriter, task: AttemptRef & { cluster: string; operation: string; phase: string }) {
    this.#journal = journal;
    this.#task = task;
  }

  async begin(record: CommandStart): Promise<number> {
    this.commands += 1;
    const seq = this.commands;
    const id = await this.#journal.begin({ ...record, ...this.#task, seq });
    this.#open.set(seq, { id, startedAt: record.startedAt });
    return seq;
  }

  async end(seq: number, record: CommandEnd): Promise<void> {
    const open = this.#open.get(seq);
    if (!open) throw new Error(`command ${seq} was not begun`);
    this.#open.delete(seq);
    this.commandMs += record.endedAt.getTime() - open.startedAt.getTime();
    await this.#journal.end(open.id, record);
  }
}
