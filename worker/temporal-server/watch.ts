import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { endServer, isAlive, type ServerRecord } from './server-record.ts';

/** How often the process is looked for, ms: a look is one small file in /proc. */
const CHECK_EVERY_MS = 250;
/** How often the server is asked whether it serves, ms, and how long the answer may take. */
const ASK_MS = 5_000;
/** Questions in a row without an answer until a server that still runs is ended: a minute or more. */
const DEAF_AFTER = 12;

/**
 * Resolves with the reason when a server has ended, or has been ended here because it runs and does not answer for a
 * minute. Answers are counted, not time: after this process itself was stopped for long, nothing counts yet. Null: `signal`
 * came first.
 */
export async function watchServer(record: ServerRecord, address: string, signal: AbortSignal): Promise<string | null> {
  const connection = Connection.lazy({ address });
  const gone = new AbortController();
  const asking = askUntilDeaf(connection, AbortSignal.any([signal, gone.signal]));
  let deaf = false;
  void asking.then((answer) => {
    deaf = answer;
  });
  try {
    while (isAlive(record)) {
      if (signal.aborted) return null;
      if (deaf) {
        await endServer(record);
        return 'the Temporal server ran and did not answer for a minute';
      }
      await sleep(CHECK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
    return signal.aborted ? null : 'the Temporal server ended';
  } finally {
    gone.abort();
    await connection.close();
  }
}

async function askUntilDeaf(connection: Connection, signal: AbortSignal): Promise<boolean> {
  let missed = 0;
  while (!signal.aborted) {
    await sleep(ASK_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return false;
    missed = await connection
      .withDeadline(Date.now() + ASK_MS, () => connection.workflowService.getSystemInfo({}))
      .then(
        () => 0,
        () => missed + 1,
      );
    if (missed >= DEAF_AFTER) return true;
  }
  return false;
}
