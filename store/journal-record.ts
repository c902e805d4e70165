import type { Change } from '../contracts/operation.ts';
import { canonicalJson, sha256 } from './canonical.ts';
import type { JournalRow } from './schema.ts';

/**
 * What a record is of. `stop`: what was run to end command `seq` of the same attempt; `request`: a request to the API that
 * changes something; `decision`: a decision of a person or of the policy on a blocked host; `issue`: who was given a
 * certificate or a token; `operation`: an operation was opened or closed; `task`: changes that no single command stands for.
 */
export const RECORD_KINDS = [
  ...(['exec', 'script', 'upload', 'stop'] as const),
  ...(['request', 'decision', 'issue', 'operation', 'task'] as const),
] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

/**
 * How a record ended. `open`: it has no end; `refused`: a request that we answered with 4xx. Of a command that failed
 * `not-run`: its host was not asked to run it; `unknown`: it was, and its end is not known.
 */
export const RECORD_RESULTS = ['open', 'ok', 'failed', 'refused', 'not-run', 'unknown'] as const;
export type RecordResult = (typeof RECORD_RESULTS)[number];

/** The first half of a record, written before the thing is done. Texts are redacted already. */
export interface RecordBegun {
  kind: RecordKind;
  /** Token name of who asked for it; `anonymous` without a valid token. */
  actor: string;
  /** Id of the token: names are not unique. Absent where no token acts. */
  actorId?: string | undefined;
  requestId: string;
  /** Empty: it is of no cluster. */
  cluster: string;
  /** Empty: of no operation, or of one that is only known at the end. */
  operation?: string | undefined;
  /** Where it ran; absent on what no host did. */
  namespace?: string | undefined;
  workflowId?: string | undefined;
  runId?: string | undefined;
  activityId?: string | undefined;
  attempt?: number | undefined;
  phase?: string | undefined;
  host?: string | undefined;
  hostKeyFingerprint?: string | undefined;
  /** From 1, within the attempt. */
  seq?: number | undefined;
  argv: string[];
  /** Hex, of what went in: standard input, file content or body. */
  stdinSha256: string | null;
  stdinBytes: number;
  /** What it is to change. */
  changes?: readonly Change[] | undefined;
  startedAt: Date;
}

/** The second half. The outputs are redacted and capped already. */
export interface RecordEnded {
  endedAt: Date;
  /** Exit code, or HTTP status. */
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  /** Bytes that were written, kept or not. */
  stdoutBytes: number;
  stderrBytes: number;
  /** The cap was hit: the rest was counted, not kept. */
  truncated: boolean;
  /** Catalogue code when it failed. */
  error: string | null;
  /** Of a command that failed, when it is not known to have run. */
  delivery?: 'not-run' | 'unknown' | undefined;
  /** Of a request: the operation that it started or acted on. */
  operation?: string | undefined;
}

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
