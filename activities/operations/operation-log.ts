import type { CloseInput, CloseResult } from '../../contracts/actions.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { ACTORS } from '../../contracts/messages.ts';
import type { OperationInput } from '../../contracts/operation.ts';
import { NO_OUTPUT, type RecordBegun, type RecordEnded } from '../../store/journal-record.ts';
import { journalWriteFailed } from '../host/journal-write-failed.ts';
import type { ChainHead } from '../tasks/recorder.ts';

/** The journal's part that writes how operations begin and end. Implemented by the store. */
export interface OperationJournal {
  record(begun: RecordBegun, ended: RecordEnded): Promise<ChainHead>;
}

/** Where an activity belongs. */
export interface RunRef {
  workflowId: string;
  runId: string;
}

/**
 * Make the plan, and write down that the operation was opened: `open <kind> <mode> <spec>`. A reader of the chain
 * learns from its first record who asked for what.
 */
export async function recordOpened<T>(
  journal: OperationJournal,
  input: OperationInput,
  run: RunRef,
  work: () => Promise<T>,
  /** Digest of the spec's row: what the row says beside the spec itself is in the journal then. */
  specRow: (ref: string) => Promise<string | null> = () => Promise.resolve(null),
): Promise<T> {
  const startedAt = new Date();
  const record = async (error: string | null): Promise<void> => {
    await journal.record(
      {
        ...begun(input.cluster, input.operationId, run, startedAt),
        actor: input.actor.name,
        actorId: input.actor.id,
        requestId: input.requestId,
        argv: ['open', input.kind, input.mode, input.specRef],
        stdinSha256: await specRow(input.specRef),
      },
      ended(error),
    );
  };
  let result: T;
  try {
    result = await work();
  } catch (error) {
    const failed = asError(error);
    await record(failed.code).catch((unwritten: unknown) => {
      throw journalWriteFailed(failed, asError(unwritten));
    });
    throw error;
  }
  await record(null);
  return result;
}

/** Write down that the operation is over: `close <state>`. Its head goes into Temporal's history with the result. */
export async function recordClosed(
  journal: OperationJournal,
  { cluster, operationId, status }: CloseInput,
  run: RunRef,
): Promise<CloseResult> {
  const isOutside = status.error?.code === 'ENDED_OUTSIDE';
  const { n, hash } = await journal.record(
    {
      ...begun(cluster, operationId, run, new Date()),
      // It was not ended by the one who started it, and no request names who did.
      actor: isOutside ? ACTORS.anonymous : status.actor,
      actorId: isOutside ? undefined : status.actorId,
      requestId: '',
      argv: ['close', status.state, ...(isOutside ? [status.error!.message] : [])],
    },
    ended(isOutside ? 'ENDED_OUTSIDE' : null),
  );
  return { chainHead: `${n}:${hash}` };
}

function asError(error: unknown): KubewrightError {
  if (KubewrightError.is(error)) return error;
  return new KubewrightError('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
}

function begun(cluster: string, operation: string, run: RunRef, startedAt: Date) {
  return { kind: 'operation' as const, cluster, operation, ...run, stdinSha256: null, stdinBytes: 0, startedAt };
}

function ended(error: string | null): RecordEnded {
  return { ...NO_OUTPUT, endedAt: new Date(), code: null, error };
}
