import type { Kysely, SelectQueryBuilder } from 'kysely';
import { encodeTime } from 'ulid';
import type { Change } from '../contracts/operation.ts';
import type { JournalEntry, RecordKind, RecordResult } from '../contracts/record.ts';
import type { BlobStore } from './blobs.ts';
import { begunColumns, chainOf, endedColumns, type RecordBegun, type RecordEnded } from './journal-record.ts';
import { type ChainHead, JournalWriter } from './journal-writer.ts';
import { recordIds } from './record-id.ts';
import type { JournalRow, Tables } from './schema.ts';

/** A record that was begun, for its end. */
export interface OpenRecord {
  readonly id: string;
  readonly kind: RecordKind;
  readonly chain: string;
  readonly operation: string;
  /** The chain's head with the first half in it. */
  readonly head: ChainHead;
}

/** Fields that records are filtered by. */
const FILTERS = ['operation', 'phase', 'host', 'actor', 'kind', 'result'] as const;

export type JournalFilter = { [Name in (typeof FILTERS)[number]]?: JournalEntry[Name] | undefined } & {
  cluster: string;
  /** Begun at or after, before. */
  since?: Date | undefined;
  until?: Date | undefined;
  /** Only what was to change something. */
  changed?: boolean | undefined;
};

export interface JournalQuery extends JournalFilter {
  limit: number;
  /** Default `oldest`: in the order of beginning. */
  order?: 'oldest' | 'newest' | undefined;
  /** `next` of the page before. */
  cursor?: string | undefined;
}

/** Everything that was done, by whom, and how it ended: written before it is done and after, chained, never changed. */
export interface Journal {
  begin(record: RecordBegun): Promise<OpenRecord>;
  /** Returns the chain's head with the second half in it. Throws STORE_FAILED when the record is not open. */
  end(open: OpenRecord, record: RecordEnded): Promise<ChainHead>;
  /** Both halves of what is over already. */
  record(begun: RecordBegun, ended: RecordEnded): Promise<ChainHead>;
  /** Null while the chain has no link. */
  head(chain: string): Promise<ChainHead | null>;
  /** `next` is null on the last page. */
  list(query: JournalQuery): Promise<{ items: JournalEntry[]; next: string | null }>;
  /** Halves written behind the position `after`, in the order of writing; each with the whole record as it is now. */
  follow(
    filter: JournalFilter,
    after: number,
    limit: number,
  ): Promise<{ items: { pos: number; part: 'begin' | 'end'; entry: JournalEntry }[]; last: number }>;
  /** The position of the newest half. */
  position(): Promise<number>;
  /** True when a record of the cluster wrote this output. */
  hasOutput(cluster: string, digest: string): Promise<boolean>;
}

/** A ULID begins with its time, in 10 characters; this is the smallest rest. */
const FIRST_OF_MS = '0'.repeat(16);

export function journal(db: Kysely<Tables>, blobs: BlobStore): Journal {
  const nextId = recordIds();
  const writer = new JournalWriter(db);

  async function outputs({ stdout, stderr }: RecordEnded) {
    return {
      stdout: stdout === '' ? null : await blobs.put(stdout),
      stderr: stderr === '' ? null : await blobs.put(stderr),
    };
  }

  /** Of the open ones among these: which will stay open. */
  async function interrupted(rows: readonly JournalRow[]): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for (const row of rows) {
      if (row.ended_at !== null || row.operation === '') continue;
      const later = await db
        .selectFrom('journal')
        .select('id')
        .where('cluster', '=', row.cluster)
        .where('host', '=', row.host)
        .where('id', '>', row.id)
        .where('operation', '=', row.operation)
        .where('activity_id', '=', row.activity_id)
        .where('attempt', '>', row.attempt)
        .limit(1)
        .executeTakeFirst();
      const closed = await db
        .selectFrom('journal')
        .select('id')
        .where('cluster', '=', row.cluster)
        .where('kind', '=', 'operation')
        .where('operation', '=', row.operation)
        .where('id', '>', row.id)
        .where('argv', 'like', '["close"%')
        .limit(1)
        .executeTakeFirst();
      if (later || closed) found.add(row.id);
    }
    return found;
  }

  return {
    async begin(record) {
      const row = begunColumns(nextId(record.startedAt), record);
      const chain = chainOf(record);
      const head = await writer.append({ chain, begin: row });
      return { id: row.id, kind: record.kind, chain, operation: row.operation, head };
    },
    async end({ id, kind, chain, operation }, record) {
      const columns = endedColumns(kind, record, await outputs(record));
      return writer.append({ chain, end: { ...columns, id, kind, operation: record.operation ?? operation } });
    },
    async record(begun, ended) {
      const row = begunColumns(nextId(begun.startedAt), begun);
      const columns = endedColumns(begun.kind, ended, await outputs(ended));
      const end = { ...columns, id: row.id, kind: row.kind, operation: ended.operation ?? row.operation };
      return writer.append({ chain: chainOf(begun), begin: row, end });
    },
    async head(chain) {
      const row = await db.selectFrom('chains').select(['n', 'hash']).where('id', '=', chain).executeTakeFirst();
      return row ?? null;
    },
    async list({ limit, cursor, order = 'oldest', ...filter }) {
      let query = filtered(db.selectFrom('journal').selectAll(), filter)
        .orderBy('journal.id', order === 'oldest' ? 'asc' : 'desc')
        .limit(limit + 1);
      if (cursor !== undefined) query = query.where('journal.id', order === 'oldest' ? '>' : '<', cursor);
      const rows = await query.execute();
      const page = rows.slice(0, limit);
      const dead = await interrupted(page);
      return {
        items: page.map((row) => entryOf(row, dead)),
        next: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
      };
    },
    async follow(filter, after, limit) {
      // A stretch of all links first: where the filter matches nothing in it, the reader goes on behind it.
      const { last } = await db
        .selectFrom(
          db.selectFrom('links').select('pos').where('pos', '>', after).orderBy('pos').limit(limit).as('stretch'),
        )
        .select(({ fn }) => fn.max('pos').as('last'))
        .executeTakeFirstOrThrow();
      const end = Number(last ?? after);
      const rows = await filtered(
        db.selectFrom('links').innerJoin('journal', 'journal.id', 'links.record').selectAll('journal'),
        filter,
      )
        .select(['links.pos', 'links.part'])
        .where('links.pos', '>', after)
        .where('links.pos', '<=', end)
        .orderBy('links.pos')
        .execute();
      const dead = await interrupted(rows);
      return { items: rows.map(({ pos, part, ...row }) => ({ pos, part, entry: entryOf(row, dead) })), last: end };
    },
    async position() {
      const { last } = await db
        .selectFrom('links')
        .select(({ fn }) => fn.max('pos').as('last'))
        .executeTakeFirstOrThrow();
      return Number(last ?? 0);
    },
    async hasOutput(cluster, digest) {
      const row = await db
        .selectFrom('journal')
        .select('id')
        .where('cluster', '=', cluster)
        .where((where) => where.or([where('stdout_sha256', '=', digest), where('stderr_sha256', '=', digest)]))
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },
  };
}

function filtered<Joined extends { journal: JournalRow }, Out>(
  select: SelectQueryBuilder<Joined, keyof Joined & string, Out>,
  filter: JournalFilter,
): SelectQueryBuilder<Joined, keyof Joined & string, Out> {
  // Typed as the plain table: with a join beside it the columns are the same.
  let query = select as unknown as SelectQueryBuilder<Tables, 'journal', Out>;
  query = query.where('journal.cluster', '=', filter.cluster);
  for (const name of FILTERS) {
    const value = filter[name];
    if (value !== undefined) query = query.where(`journal.${name}`, '=', value);
  }
  if (filter.changed === true) query = query.where('journal.changes', 'is not', null);
  if (filter.since !== undefined) query = query.where('journal.id', '>=', firstIdAt(filter.since));
  if (filter.until !== undefined) query = query.where('journal.id', '<', firstIdAt(filter.until));
  return query as unknown as SelectQueryBuilder<Joined, keyof Joined & string, Out>;
}

const firstIdAt = (at: Date): string => encodeTime(Math.max(0, at.getTime())) + FIRST_OF_MS;

function entryOf(row: JournalRow, interrupted: ReadonlySet<string>): JournalEntry {
  return {
    id: row.id,
    kind: row.kind as RecordKind,
    actor: row.actor,
    actorId: row.actor_id,
    requestId: row.request_id,
    namespace: row.ns,
    cluster: row.cluster,
    operation: row.operation,
    workflowId: row.workflow_id,
    runId: row.run_id,
    activityId: row.activity_id,
    attempt: row.attempt,
    phase: row.phase,
    host: row.host,
    hostKeyFingerprint: row.host_key_fingerprint,
    seq: row.seq,
    argv: JSON.parse(row.argv) as string[],
    stdinSha256: row.stdin_sha256,
    stdinBytes: row.stdin_bytes,
    changes: row.changes === null ? [] : (JSON.parse(row.changes) as Change[]),
    startedAt: row.started_at,
    endedAt: row.ended_at,
    exitCode: row.exit_code,
    signal: row.signal,
    stdoutSha256: row.stdout_sha256,
    stderrSha256: row.stderr_sha256,
    stdoutBytes: row.stdout_bytes,
    stderrBytes: row.stderr_bytes,
    truncated: row.truncated === 1,
    error: row.error,
    result: row.result as RecordResult,
    interrupted: interrupted.has(row.id),
  };
}
