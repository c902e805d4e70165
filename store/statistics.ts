import { type Kysely, sql } from 'kysely';
import { ACTIVE_STATES, type StatusHead } from './changes.ts';
import type { Tables } from './schema.ts';

/** Numbers of an installation, for its metrics. */
export interface Statistics {
  /** State → how many; states without any are absent. */
  operations: Record<string, number>;
  clusters: Record<string, number>;
  /** State of their health → how many clusters. */
  health: Record<string, number>;
  /** Hosts that wait for a decision. */
  blockedHosts: number;
  /** Links of all chains of the journal: one when a record begins, one when it ends. */
  journalLinks: number;
  databaseBytes: number;
}

export interface StatisticsReader {
  read(): Promise<Statistics>;
}

/** A few counts, each by an index or of a small table; `sizeOf` asks the engine for its bytes. */
export function statisticsReader(db: Kysely<Tables>, engine: 'sqlite' | 'postgres'): StatisticsReader {
  const counts = async (table: 'operations' | 'clusters'): Promise<Record<string, number>> => {
    const rows = await db
      .selectFrom(table)
      .select((row) => ['state', row.fn.countAll().as('count')])
      .groupBy('state')
      .execute();
    return Object.fromEntries(rows.map(({ state, count }) => [state, Number(count)]));
  };
  const healthCounts = async (): Promise<Record<string, number>> => {
    const rows = await db
      .selectFrom('clusters')
      .select((row) => ['health_state', row.fn.countAll().as('count')])
      .where('health_state', 'is not', null)
      .groupBy('health_state')
      .execute();
    return Object.fromEntries(rows.map((row) => [row.health_state!, Number(row.count)]));
  };
  return {
    async read() {
      const active = await db
        .selectFrom('operations')
        .select('status')
        .where('state', 'in', [...ACTIVE_STATES])
        .execute();
      const journal = await db.selectFrom('chains').select('n').where('id', '=', '*').executeTakeFirst();
      const size = await SIZE[engine].execute(db);
      return {
        operations: await counts('operations'),
        clusters: await counts('clusters'),
        health: await healthCounts(),
        blockedHosts: active.reduce(
          (sum, { status }) => sum + new Set((JSON.parse(status) as StatusHead).blockedHosts).size,
          0,
        ),
        journalLinks: Number(journal?.n ?? 0),
        databaseBytes: Number(size.rows[0]?.bytes ?? 0),
      };
    },
  };
}

/** The size of the database, bytes, in the words of each engine. */
const SIZE = {
  sqlite: sql<{ bytes: number }>`select page_count * page_size as bytes from pragma_page_count(), pragma_page_size()`,
  postgres: sql<{ bytes: string }>`select pg_database_size(current_database()) as bytes`,
} as const;
