import type { Change } from '../../contracts/operation.ts';
import type { JournalEntry } from '../../contracts/record.ts';
import { NO_OUTPUT } from '../../store/journal-record.ts';
import type { CommandEnd, CommandRecorder, CommandStart, OpenCommand } from '../host/types.ts';

/** Which attempt a command belongs to: joins the journal with Temporal's history. */
export type AttemptRef = Pick<JournalEntry, 'namespace' | 'workflowId' | 'runId' | 'activityId' | 'attempt'>;

/** Whose attempt it is. */
export type TaskRef = AttemptRef &
  Pick<JournalEntry, 'cluster' | 'operation' | 'actor' | 'requestId' | 'phase'> & { actorId?: string | undefined };

/** The last link of a chain. */
export interface ChainHead {
  n: number;
  hash: string;
}

/** A record without its end. What else it carries is the journal's own affair. */
interface OpenRecord {
  readonly head: ChainHead;
}

type Begun = Omit<CommandStart, 'kind' | 'ends'> & TaskRef & { kind: CommandStart['kind'] | 'task'; seq: number };

/** The journal's part that a task writes. Implemented by the store. */
export interface TaskJournal<Open extends OpenRecord = OpenRecord> {
  begin(record: Begun): Promise<Open>;
  end(open: Open, record: CommandEnd): Promise<ChainHead>;
  /** Both at once, of what is over. */
  record(begun: Begun, ended: CommandEnd): Promise<ChainHead>;
}

/** Records the commands of one attempt, numbered from 1, and adds up what they cost. */
export class TaskRecorder<Open extends OpenRecord> implements CommandRecorder {
  commands = 0;
  commandMs = 0;
  /** The chain's head as far as this attempt has seen it. */
  head: ChainHead | undefined;
  readonly #journal: TaskJournal<Open>;
  readonly #task: TaskRef;

  constructor(journal: TaskJournal<Open>, task: TaskRef) {
    this.#journal = journal;
    this.#task = task;
  }

  async begin({ ends, ...start }: CommandStart): Promise<OpenCommand> {
    // A stop is no command of the task's own: it may come after the task's result, which counts them.
    if (ends === undefined) this.commands += 1;
    const seq = ends ?? this.commands;
    const record = await this.#journal.begin({ ...start, ...this.#task, seq });
    this.#saw(record.head);
    return {
      seq,
      end: async (end) => {
        if (ends === undefined) this.commandMs += end.endedAt.getTime() - start.startedAt.getTime();
        this.#saw(await this.#journal.end(record, end));
      },
    };
  }

  /** Changes that no single command stands for. */
  async recordChanges(host: string, changes: readonly Change[]): Promise<void> {
    const at = new Date();
    const begun: Begun = {
      ...this.#task,
      kind: 'task',
      seq: 0,
      host,
      hostKeyFingerprint: '',
      argv: ['changes'],
      stdinSha256: null,
      stdinBytes: 0,
      changes,
      startedAt: at,
    };
    this.#saw(await this.#journal.record(begun, { ...NO_OUTPUT, endedAt: at, code: 0, error: null }));
  }

  #saw(head: ChainHead): void {
    if (head.n > (this.head?.n ?? 0)) this.head = head;
  }
}
