import { z } from 'zod';
import { change } from './status.ts';

/**
 * What a record is of. `stop`: what was run to end command `seq` of the same attempt; `request`: a request to the API that
 * changes something; `decision`: a decision about a blocked host, by a person or the policy; `issue`: a certificate or a
 * token was given out; `operation`: an operation was opened or closed; `task`: changes that no single command stands for.
 */
export const RECORD_KINDS = [
  ...(['exec', 'script', 'upload', 'stop'] as const),
  ...(['request', 'decision', 'issue', 'operation', 'task'] as const),
] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

/**
 * How a record ended. `open`: it has no end; `refused`: a request that we answered with 4xx. Of a command that failed
 * `not-run`: its host was not asked to run it; `unknown`: it was asked, and no answer came.
 */
export const RECORD_RESULTS = ['open', 'ok', 'failed', 'refused', 'not-run', 'unknown'] as const;
export type RecordResult = (typeof RECORD_RESULTS)[number];

const text = z.string().max(8192);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = z.int().min(0);

/**
 * One record of the journal, as it is read back, answered and exported. The only definition: the store's halves, NDJSON,
 * rows, CSV and the answers of the API derive from it. Output stays behind its digest. Empty texts: there is none. Fields are in the order of
 * the columns of CSV: a new one goes to the end.
 */
export const journalRecord = z.object({
  id: text.describe('ULID; encodes when the record began'),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable().describe('Null: still running, or its process died'),
  result: z.enum(RECORD_RESULTS),
  interrupted: z
    .boolean()
    .describe(
      'True for an open record that will get no end: a later attempt of its task began, or its operation is over',
    ),
  kind: z.enum(RECORD_KINDS),
  actor: text.describe('Name of the token that asked for it; `anonymous` without a valid token'),
  actorId: text.nullable().describe('Id of that token; null: no token, or a record of an earlier version'),
  requestId: text,
  cluster: text.describe('Empty when the record concerns no cluster'),
  operation: text.describe('Empty when the record belongs to no operation'),
  phase: text,
  host: text,
  attempt: z.int(),
  seq: z.int().describe('Number of the command within the attempt, from 1; 0 when the record is no command'),
  argv: z.array(z.string()).max(10_000),
  exitCode: z.int().nullable().describe('Exit code of a command, or HTTP status of a request'),
  signal: z.string().max(64).nullable(),
  error: z.string().max(64).nullable().describe('Code of the error catalogue'),
  changes: z.array(change).max(100_000).describe('Intended changes; they were made when the result is `ok`'),
  stdinSha256: digest.nullable().describe('sha256 of the input: standard input, file content or request body'),
  stdinBytes: bytes,
  stdoutSha256: digest.nullable(),
  stdoutBytes: bytes.nullable().describe('Bytes of output, with those that were not stored'),
  stderrSha256: digest.nullable(),
  stderrBytes: bytes.nullable(),
  truncated: z.boolean().describe('True: only the first part of the output was stored'),
  hostKeyFingerprint: text,
  workflowId: text,
  runId: text,
  activityId: text,
  namespace: text.describe('Namespace in Temporal; empty when no workflow ran'),
});
export type JournalEntry = z.infer<typeof journalRecord>;

/** The fields of a record, in the order of the columns of CSV. */
export const RECORD_FIELDS = Object.keys(journalRecord.shape) as readonly (keyof JournalEntry)[];

/** Records as CSV (RFC 4180), with a line of column names. */
export const recordTable = z
  .string()
  .regex(new RegExp(`^${RECORD_FIELDS.join(',')}\\r\\n`))
  .describe(`CSV (RFC 4180), with the columns ${RECORD_FIELDS.join(', ')}`);

/** A line of a followed journal: a record at the moment when one of its halves was written. */
export const followedRecord = journalRecord.extend({
  pos: z.int().min(1).optional().describe('Position in the journal; `after` continues behind it'),
  part: z.enum(['begin', 'end']).optional(),
});
