import { ERRORS } from '../../contracts/errors.ts';
import { ACTORS } from '../../contracts/messages.ts';
import { printableLine } from '../../contracts/printable.ts';
import type { RefusedMessage } from '../../contracts/provenance.ts';
import { NO_OUTPUT, type RecordBegun, type RecordEnded } from '../../store/journal-record.ts';
import type { RunRef } from './operation-log.ts';

/** What the log needs of the store. `known`: there is a cluster of this name. */
export interface RefusalStore {
  record(begun: RecordBegun, ended: RecordEnded): Promise<unknown>;
  known(cluster: string): Promise<boolean>;
}

/** Writes down what reached workflows and activities through Temporal and was refused. */
export interface RefusalLog {
  /** Resolves when it is written, or counted; never rejects: what was refused stays refused. */
  refused(message: RefusedMessage, at: RunRef): Promise<void>;
  /** Write the number of those that were only counted. */
  close(): Promise<void>;
}

/** Records written one by one, at once and per minute in the long run; of the rest, one record a minute has the number. */
const AT_ONCE = 100;
const PER_MINUTE = 20;
const MINUTE_MS = 60_000;

const CLUSTER = /^cluster\/([a-z0-9-]{1,40})(?:\/op\/([0-9a-z]{16}))?(?:\/|$)/;

export function createRefusalLog(
  store: RefusalStore,
  logger?: { warn(details: object, message: string): void },
): RefusalLog {
  let left = AT_ONCE;
  let regainedAt = Date.now();
  let more = 0;
  let since = Date.now();

  const write = async (begun: Pick<RecordBegun, 'cluster' | 'operation' | 'argv'> & Partial<RecordBegun>) => {
    try {
      await store.record(
        // Not the actor that it claims: that one is not proved.
        { kind: 'request', actor: ACTORS.anonymous, requestId: '', startedAt: new Date(), ...begun, ...NO_BODY },
        { ...NO_OUTPUT, endedAt: new Date(), code: ERRORS.COMMAND_REFUSED.status, error: 'COMMAND_REFUSED' },
      );
    } catch (error) {
      logger?.warn(
        { err: error, argv: begun.argv },
        'the worker could not record a refused Temporal message in the journal',
      );
    }
  };
  const flush = async () => {
    if (more === 0) return;
    const [count, startedAt] = [more, new Date(since)];
    more = 0;
    await write({ cluster: '', argv: ['refused', `${count} more messages through Temporal`], startedAt });
  };
  const timer = setInterval(() => void flush(), MINUTE_MS).unref();

  return {
    async refused({ message, why, claims }, { workflowId, runId }) {
      const now = Date.now();
      left = Math.min(AT_ONCE, left + ((now - regainedAt) / MINUTE_MS) * PER_MINUTE);
      regainedAt = now;
      if (left < 1) {
        if (more === 0) since = now;
        more += 1;
        return;
      }
      left -= 1;
      logger?.warn({ message, why, claims, workflowId, runId }, 'the worker refused a Temporal message');
      const [, cluster = '', operation = ''] = CLUSTER.exec(workflowId) ?? [];
      const known = cluster !== '' && (await store.known(cluster).catch(() => false));
      const claimed = [
        claims.actor && `claims to be ${claims.actor}`,
        claims.requestId && `request ${claims.requestId}`,
      ];
      await write({
        cluster: known ? cluster : '',
        operation: known ? operation : '',
        workflowId: workflowId.slice(0, 200),
        runId,
        argv: ['temporal', message, workflowId.slice(0, 200), why, ...claimed.filter((each) => each !== '')].map(
          printableLine,
        ),
      });
    },
    async close() {
      clearInterval(timer);
      await flush();
    },
  };
}

const NO_BODY = { stdinSha256: null, stdinBytes: 0 } as const;
