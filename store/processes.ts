import type { Kysely } from 'kysely';
import type { ProcessRow, Tables } from './schema.ts';
import { now } from './time.ts';

/** A process that wrote of itself: `working`, or what it lacks. */
export interface ProcessReport {
  /** Chosen by the process at its start. */
  id: string;
  kind: 'api' | 'worker';
  /** `no-temporal`: the process is alive, and Temporal does not answer it. */
  state: 'working' | 'no-temporal';
}

/** Which processes of this installation are alive, by what each writes of itself every few seconds. */
export interface Processes {
  /** Writes the row of a process with the present time. */
  report(process: ProcessReport): Promise<void>;
  /** Processes of a kind that wrote within the last hour. `seenAt` is by the clock of the process that wrote it. */
  list(kind: ProcessReport['kind']): Promise<(ProcessReport & { seenAt: string })[]>;
  /** Takes the row of a process that ends. */
  remove(id: string): Promise<void>;
}

/** Rows older than this are of processes that were killed, ms. */
const KEEP_MS = 3600 * 1000;

export function processStore(db: Kysely<Tables>): Processes {
  const known = new Set<string>();
  const oldest = () => new Date(Date.now() - KEEP_MS).toISOString();
  return {
    async report({ id, kind, state }) {
      const seen_at = now();
      await db
        .insertInto('processes')
        .values({ id, kind, state, seen_at })
        .onConflict((conflict) => conflict.column('id').doUpdateSet({ state, seen_at }))
        .execute();
      if (known.has(id)) return;
      await db.deleteFrom('processes').where('seen_at', '<', oldest()).execute();
      known.add(id);
    },
    async list(kind) {
      const rows: ProcessRow[] = await db
        .selectFrom('processes')
        .selectAll()
        .where('kind', '=', kind)
        .where('seen_at', '>=', oldest())
        .orderBy('seen_at', 'desc')
        .limit(1000)
        .execute();
      return rows.map(({ id, state, seen_at }) => ({
        ...{ id, kind, seenAt: seen_at },
        state: state as ProcessReport['state'],
      }));
    },
    async remove(id) {
      await db.deleteFrom('processes').where('id', '=', id).execute();
      known.delete(id);
    },
  };
}
