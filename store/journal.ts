import type { Kysely } from 'kysely';
import { monotonicFactory } from 'ulid';
import type { BlobStore } from './blobs.ts';
import type { JournalRow, Tables } from './schema.ts';

/** A command as its attempt begins it. */
export interface CommandBegun {
  namespace: string;
  cluster: string;
  operation: string;
  workflowId: string;
  runId: string;
  activityId: string;
  attempt: number;
  phase: string;
  host: string;
  hostKeyFingerprint: string;
  /** From 1, within the attempt. */
  seq: number;
  kind: 'exec' | 'script' | 'upload';
  /** Redacted. */
  argv: string[];
  stdinSha256: string | null;
  stdinBytes: number;
  startedAt: Date;
}

/** How it ended. The texts are redacted and capped already. */
export interface CommandEnded {
  endedAt: Date;
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  stdoutBytes: number;
  stderrBytes: number;
  truncated: boolean;
  error: string | null;
}

/** A command as it is read back. Output stays behind its digest. */
export interface JournalEntry {
  id: string;
  namespace: string;
  cluster: string;
  operation: string;
  workflowId: string;
  runId: string;
  activityId: string;
  attempt: number;
  phase: string;
  host: string;
  hostKeyFingerprint: string;
  seq: number;
  kind: string;
  argv: string[];
  stdinSha256: string | null;
  stdinBytes: number;
  startedAt: string;
  /** Null: it still runs, or the worker died under it. */
  endedAt: string | null;
  exitCode: number | null;
  signal: string | null;
  stdoutSha256: string | null;
  stderrSha256: string | null;
  stdoutBytes: number | null;
  stderrBytes: number | null;
  truncated: boolean;
  error: string | null;
}

export interface JournalQuery {
  cluster: string;
  operation?: string | undefined;
  phase?: string | undefined;
  host?: string | undefined;
  limit: number;
  /** `next` of the page before. */
  cursor?: string | undefined;
}

/** Every command that ran on a host, appended before it starts and completed when it ended. */
export interface Journal {
  begin(record: CommandBegun): Promise<string>;
  end(id: string, record: CommandEnded): Promise<void>;
  /** In the order of beginning. `next` is null on the last page. */
  list(query: JournalQuery): Promise<{ items: JournalEntry[]; next: string | null }>;
  /** True when a command of the cluster wrote this output. */
  hasOutput(cluster: string, digest: string): Promise<boolean>;
}

export function journal(db: Kysely<Tables>, blobs: BlobStore): Journal {
  const nextId = monotonicFactory();
  return {
    async begin(record) {
      const id = nextId();
      await db
        .insertInto('journal')
        .values({
          id,
          ns: record.namespace,
          cluster: record.cluster,
          operation: record.operation,
          workflow_id: record.workflowId,
          run_id: record.runId,
          activity_id: record.activityId,
          attempt: record.attempt,
          phase: record.phase,
          host: record.host,
          host_key_fingerprint: record.hostKeyFingerprint,
          seq: record.seq,
          kind: record.kind,
          argv: JSON.stringify(record.argv),
          stdin_sha256: record.stdinSha256,
          stdin_bytes: record.stdinBytes,
          started_at: record.startedAt.toISOString(),
          truncated: 0,
        })
        .execute();
      return id;
    },
    async end(id, record) {
      const stdout = record.stdout === '' ? null : await blobs.put(record.stdout);
      const stderr = record.stderr === '' ? null : await blobs.put(record.stderr);
      await db
        .updateTable('journal')
        .set({
          ended_at: record.endedAt.toISOString(),
          exit_code: record.code,
          signal: record.signal,
          stdout_sha256: stdout,
          stderr_sha256: stderr,
          stdout_bytes: record.stdoutBytes,
          stderr_bytes: record.stderrBytes,
          truncated: record.truncated ? 1 : 0,
          error: record.error,
        })
        .where('id', '=', id)
        .execute();
    },
    async list({ cluster, operation, phase, host, limit, cursor }) {
      let query = db
        .selectFrom('journal')
        .selectAll()
        .where('cluster', '=', cluster)
        .orderBy('id')
        .limit(limit + 1);
      if (operation !== undefined) query = query.where('operation', '=', operation);
      if (phase !== undefined) query = query.where('phase', '=', phase);
      if (host !== undefined) query = query.where('host', '=', host);
      if (cursor !== undefined) query = query.where('id', '>', cursor);
      const rows = await query.execute();
      const items = rows.slice(0, limit).map(entryOf);
      return { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
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

function entryOf(row: JournalRow): JournalEntry {
  return {
    id: row.id,
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
    kind: row.kind,
    argv: JSON.parse(row.argv) as string[],
    stdinSha256: row.stdin_sha256,
    stdinBytes: row.stdin_bytes,
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
  };
}
