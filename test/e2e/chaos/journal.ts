import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { OperationStatus } from '../../../contracts/operation.ts';
import type { JournalEntry } from '../../../contracts/record.ts';
import { openStore, type Store } from '../../../store/index.ts';
import { openKeyring } from '../../../store/keyring.ts';
import type { PayloadKeys } from '../../../store/payload-keys.ts';

/** A command as the judge sees it: a row of the journal, read from outside the processes under test. */
export type Row = Pick<
  JournalEntry,
  | 'id'
  | 'activityId'
  | 'attempt'
  | 'phase'
  | 'host'
  | 'seq'
  | 'kind'
  | 'argv'
  | 'stdinSha256'
  | 'startedAt'
  | 'endedAt'
  | 'exitCode'
  | 'error'
>;

interface RawRow extends Omit<Row, 'argv'> {
  argv: string;
}

const COLUMNS = `id, activity_id as activityId, attempt, phase, host, seq, kind, argv, stdin_sha256 as stdinSha256,
  started_at as startedAt, ended_at as endedAt, exit_code as exitCode, error`;

/** The database of the services, looked at from outside, while they live and while they are dead. */
export class JournalWatch {
  readonly #db: DatabaseSync;
  readonly #store: Store;

  private constructor(dataDir: string, store: Store) {
    this.#db = new DatabaseSync(join(dataDir, 'kubewright.db'), { readOnly: true });
    this.#db.exec('pragma busy_timeout = 5000');
    this.#store = store;
  }

  static async open(dataDir: string): Promise<JournalWatch> {
    return new JournalWatch(dataDir, await openStore({ dataDir, keyring: openKeyring(dataDir) }));
  }

  /** What opens the histories of the services under test. */
  get payloadKeys(): PayloadKeys {
    return this.#store.payloadKeys;
  }

  async close(): Promise<void> {
    this.#db.close();
    await this.#store.close();
  }

  /** Commands that are no command of a host (requests, decisions) are left out. */
  rows(operation: string): Row[] {
    const found = this.#db
      .prepare(`select ${COLUMNS} from journal where operation = ? order by started_at, id`)
      .all(operation) as unknown as RawRow[];
    return found
      .filter(({ kind }) => ['exec', 'script', 'upload'].includes(kind))
      .map((row) => ({ ...row, argv: JSON.parse(row.argv) as string[] }));
  }

  /** How many records of an operation have no end, those that ended commands of a host included. */
  openRecords(operation: string): number {
    const found = this.#db
      .prepare('select count(*) as open from journal where operation = ? and ended_at is null')
      .get(operation) as unknown as { open: number };
    return found.open;
  }

  /** True once a task's n-th command of any attempt has begun, or ended. */
  reached(operation: string, at: { phase: string; host: string; seq: number; side: 'begin' | 'end' }): boolean {
    return (
      this.#db
        .prepare(
          `select 1 from journal where operation = ? and phase = ? and host = ? and seq >= ?
           ${at.side === 'end' ? 'and ended_at is not null' : ''} limit 1`,
        )
        .get(operation, at.phase, at.host, at.seq) !== undefined
    );
  }

  /** Commands that run now, as `phase on host #n`; not those of attempts whose worker died. */
  running(operation: string): string[] {
    const rows = this.#db
      .prepare(
        `select phase, host, seq from journal as own where operation = ? and ended_at is null and not exists
           (select 1 from journal as later where later.operation = own.operation and later.phase = own.phase
            and later.host = own.host and later.id > own.id and later.attempt <> own.attempt) order by id`,
      )
      .all(operation) as unknown as { phase: string; host: string; seq: number }[];
    return rows.map(({ phase, host, seq }) => `${phase} on ${host} #${seq}`);
  }

  /** When the first command began after a moment, on a host if given; null when none did. */
  firstAfter(operation: string, moment: number, host?: string): number | null {
    const found = this.#db
      .prepare(
        `select started_at as at from journal where operation = ? and started_at > ? ${host === undefined ? '' : 'and host = ?'}
         order by started_at limit 1`,
      )
      .get(...[operation, new Date(moment).toISOString(), ...(host === undefined ? [] : [host])]);
    return found === undefined ? null : Date.parse((found as { at: string }).at);
  }

  /** When the commands ended that ran at a moment, ms since the epoch. */
  endsOfRunningAt(operation: string, moment: number): number[] {
    const rows = this.#db
      .prepare('select ended_at as at from journal where operation = ? and started_at <= ? and ended_at > ?')
      .all(operation, ...[moment, moment].map((each) => new Date(each).toISOString())) as unknown as { at: string }[];
    return rows.map(({ at }) => Date.parse(at));
  }

  status(cluster: string, operation: string): Promise<OperationStatus | null> {
    return this.#store.projections.operation(cluster, operation);
  }
}
