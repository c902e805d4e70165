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
 * CSV and the answers of the API derive from it. Output stays behind its digest. Empty texts: there is none.
 */
export const journalRecord = z.object({
  id: text.describe('ULID of the time of its beginning'),
  kind: z.enum(RECORD_KINDS),
  actor: text.describe('Token name of who asked for it; `anonymous` without a valid token'),
  actorId: text.nullable().describe("Id of the actor's token; null: no token, or of an earlier version"),
  requestId: text,
  namespace: text.describe("Temporal's namespace; empty where no workflow ran"),
  cluster: text.describe('Empty: it concerns no cluster'),
  operation: text.describe('Empty: it belongs to no operation'),
  workflowId: text,
  runId: text,
  activityId: text,
  attempt: z.int(),
  phase: text,
  host: text,
  hostKeyFingerprint: text,
  seq: z.int().describe('From 1, within the attempt; 0 on what is no command'),
  argv: z.array(z.string()).max(10_000),
  stdinSha256: digest.nullable().describe('Of what went in: standard input, file content or body'),
  stdinBytes: bytes,
  changes: z.array(change).max(100_000).describe('What it was to change; it did, when the result is `ok`'),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable().describe('Null: it runs, or its process died'),
  exitCode: z.int().nullable().describe('Exit code, or HTTP status'),
  signal: z.string().max(64).nullable(),
  stdoutSha256: digest.nullable(),
  stderrSha256: digest.nullable(),
  stdoutBytes: bytes.nullable().describe('Bytes that were written, kept or not'),
  stderrBytes: bytes.nullable(),
  truncated: z.boolean().describe('Only the first part of an output was kept'),
  error: z.string().max(64).nullable().describe('Code of the error catalogue'),
  result: z.enum(RECORD_RESULTS),
  interrupted: z
    .boolean()
    .describe('Of an open record: a later attempt of its task began, or its operation is over. It gets no end'),
});
export type JournalEntry = z.infer<typeof journalRecord>;

/** A line of a followed journal: a record at the moment when one of its halves was written. */
export const followedRecord = journalRecord.extend({
  pos: z.int().min(1).optional().describe('Position in the journal; `after` resumes behind it'),
  part: z.enum(['begin', 'end']).optional(),
});
