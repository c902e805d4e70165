import type { Change } from '../contracts/operation.ts';
import type { JournalEntry, RecordKind, RecordResult } from '../contracts/record.ts';
import { canonicalJson, sha256 } from './canonical.ts';
import type { JournalRow } from './schema.ts';

/** Members that a record of what no workflow did lacks in its first half; the store keeps them as empty texts or 0. */
type Placed = Pick<
  JournalEntry,
  | 'operation'
  | 'namespace'
  | 'workflowId'
  | 'runId'
  | 'activityId'
  | 'attempt'
  | 'phase'
  | 'host'
  | 'hostKeyFingerprint'
  | 'seq'
>;

/** The first half of a record, written before the thing is done. Texts are redacted already. */
export type RecordBegun = Pick<
  JournalEntry,
  'kind' | 'actor' | 'requestId' | 'cluster' | 'argv' | 'stdinSha256' | 'stdinBytes'
> & { [Name in keyof Placed]?: Placed[Name] | undefined } & {
  /** Absent where no token acts. */
  actorId?: string | undefined;
  changes?: readonly Change[] | undefined;
  startedAt: Date;
};

/** The second half. The outputs are redacted and capped already. */
export type RecordEnded = Pick<JournalEntry, 'signal' | 'truncated' | 'error'> & {
  endedAt: Date;
  /** Exit code, or HTTP status. */
  code: number | null;
  stdout: string;
  stderr: string;
  /** Bytes that were written, kept or not. */
  stdoutBytes: number;
  stderrBytes: number;
  /** Of a command that failed, when it is not known to have run. */
  delivery?: Extract<RecordResult, 'not-run' | 'unknown'> | undefined;
  /** Of a request: the operation that it started or acted on. */
  operation?: string | undefined;
};

/** What the end of a record says of output where no process ran. */
export const NO_OUTPUT = {
  ...{ signal: null, stdout: '', stderr: '', stdoutBytes: 0, stderrBytes: 0, truncated: false },
} as const;

/** The columns of the first and of the second half. */
export type BegunColumns = Omit<JournalRow, keyof EndedColumns>;
export type EndedColumns = Pick<
  JournalRow,
  | 'ended_at'
  | 'exit_code'
  | 'signal'
  | 'stdout_sha256'
  | 'stderr_sha256'
  | 'stdout_bytes'
  | 'stderr_bytes'
  | 'truncated'
  | 'error'
  | 'result'
>;

/** Of a record that has not ended. */
export const NOT_ENDED: EndedColumns = {
  ended_at: null,
  exit_code: null,
  signal: null,
  stdout_sha256: null,
  stderr_sha256: null,
  stdout_bytes: null,
  stderr_bytes: null,
  truncated: 0,
  error: null,
  result: 'open',
};

/** Where a link stands. */
export interface LinkPlace {
  chain: string;
  /** From 1. */
  n: number;
  /** Hash of the link before it; NO_HASH on the first. */
  prev: string;
}

export const NO_HASH = '0'.repeat(64);

/** The chain of an operation, of a cluster (requests outside operations), or of the installation. */
export function chainOf({ cluster, operation }: { cluster: string; operation?: string | undefined }): string {
  if (cluster === '') return 'installation';
  return operation === undefined || operation === '' ? `cluster/${cluster}` : `cluster/${cluster}/op/${operation}`;
}

/** Requests learn their operation at the end: in their first half there is none. */
export const learnsOperation = (kind: string): boolean => kind === 'request' || kind === 'decision';

/**
 * The text whose sha256 is the hash of a link: one line of canonical JSON with everything that the half of the record
 * says, and its place. Made from the row's columns, so any change to one of them shows.
 */
export function beginLine(row: BegunColumns, place: LinkPlace): string {
  return canonicalJson({
    ...place,
    part: 'begin',
    id: row.id,
    kind: row.kind,
    actor: row.actor,
    // Records from before there was this member are the text that they were.
    ...(row.actor_id === null ? {} : { actorId: row.actor_id }),
    requestId: row.request_id,
    cluster: row.cluster,
    operation: learnsOperation(row.kind) ? '' : row.operation,
    namespace: row.ns,
    workflowId: row.workflow_id,
    runId: row.run_id,
    activityId: row.activity_id,
    attempt: row.attempt,
    phase: row.phase,
    host: row.host,
    hostKeyFingerprint: row.host_key_fingerprint,
    seq: row.seq,
    argv: embedded(row.argv),
    stdinSha256: row.stdin_sha256,
    stdinBytes: row.stdin_bytes,
    changes: embedded(row.changes),
    startedAt: row.started_at,
  });
}

export function endLine(row: EndedColumns & Pick<JournalRow, 'id' | 'kind' | 'operation'>, place: LinkPlace): string {
  return canonicalJson({
    ...place,
    part: 'end',
    id: row.id,
    ...(learnsOperation(row.kind) ? { operation: row.operation } : {}),
    endedAt: row.ended_at,
    exitCode: row.exit_code,
    signal: row.signal,
    stdoutSha256: row.stdout_sha256,
    stderrSha256: row.stderr_sha256,
    stdoutBytes: row.stdout_bytes,
    stderrBytes: row.stderr_bytes,
    truncated: row.truncated,
    error: row.error,
    result: row.result,
  });
}

export const lineHash = (line: string): string => sha256(line);

/** JSON in JSON as itself. Written by another hand (a space more), it stands as the text that it is: the hash differs. */
function embedded(json: string | null): unknown {
  if (json === null) return null;
  try {
    const value: unknown = JSON.parse(json);
    return JSON.stringify(value) === json ? value : json;
  } catch {
    return json;
  }
}

/** What is to be said of how a record ended. */
export function resultOf(
  kind: string,
  { code, error, signal, delivery }: Pick<RecordEnded, 'code' | 'error' | 'signal' | 'delivery'>,
): RecordResult {
  if (delivery !== undefined) return delivery;
  // What the policy decides has no status; neither has a request that we could not answer, but an error.
  if (learnsOperation(kind) && code !== null) return code >= 500 ? 'failed' : code >= 400 ? 'refused' : 'ok';
  return error === null && signal === null && (code === null || code === 0) ? 'ok' : 'failed';
}

export function begunColumns(id: string, record: RecordBegun): BegunColumns {
  const { changes = [] } = record;
  return {
    id,
    kind: record.kind,
    actor: record.actor,
    actor_id: record.actorId ?? null,
    request_id: record.requestId,
    cluster: record.cluster,
    operation: record.operation ?? '',
    ns: record.namespace ?? '',
    workflow_id: record.workflowId ?? '',
    run_id: record.runId ?? '',
    activity_id: record.activityId ?? '',
    attempt: record.attempt ?? 0,
    phase: record.phase ?? '',
    host: record.host ?? '',
    host_key_fingerprint: record.hostKeyFingerprint ?? '',
    seq: record.seq ?? 0,
    argv: JSON.stringify(record.argv),
    stdin_sha256: record.stdinSha256,
    stdin_bytes: record.stdinBytes,
    changes: changes.length === 0 ? null : JSON.stringify(changes),
    started_at: record.startedAt.toISOString(),
  };
}

/** `outputs` are the digests of what was kept; null: nothing. */
export function endedColumns(
  kind: RecordKind,
  record: RecordEnded,
  outputs: { stdout: string | null; stderr: string | null },
): EndedColumns {
  return {
    ended_at: record.endedAt.toISOString(),
    exit_code: record.code,
    signal: record.signal,
    stdout_sha256: outputs.stdout,
    stderr_sha256: outputs.stderr,
    stdout_bytes: record.stdoutBytes,
    stderr_bytes: record.stderrBytes,
    truncated: record.truncated ? 1 : 0,
    error: record.error,
    result: resultOf(kind, record),
  };
}
