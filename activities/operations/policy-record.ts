import { LIMITS } from '../../contracts/limits.ts';
import { ACTORS } from '../../contracts/messages.ts';
import type { DecisionRecord, OperationStatus } from '../../contracts/operation.ts';
import { NO_OUTPUT, type RecordBegun, type RecordEnded } from '../../store/journal-record.ts';
import type { RunRef } from './operation-log.ts';

/** The journal's part that writes what the cluster's policy decided. Implemented by the store. */
export interface PolicyJournal {
  record(begun: RecordBegun, ended: RecordEnded): Promise<unknown>;
  list(query: {
    cluster: string;
    operation: string;
    kind: 'decision';
    actor: string;
    order: 'newest';
    limit: number;
  }): Promise<{ items: { startedAt: string; argv: string[] }[] }>;
}

/**
 * Record the decisions of the policy; decisions of people are in the journal with their requests. A status
 * lists every decision so far, so those that are written already are left out: safe to repeat.
 */
export async function recordPolicy(journal: PolicyJournal, status: OperationStatus, run: RunRef): Promise<void> {
  const taken = (status.decisions ?? []).filter(({ by }) => by === ACTORS.policy);
  if (taken.length === 0) return;
  const { cluster, operationId: operation } = status;
  const { items } = await journal.list({
    ...{ cluster, operation, kind: 'decision', actor: ACTORS.policy, order: 'newest' },
    limit: LIMITS.decisionsInStatus,
  });
  const written = new Set(items.map(({ startedAt, argv }) => keyOf(startedAt, argv)));
  for (const decision of taken) {
    const argv = argvOf(decision);
    const { at, host = '', phase = '', requestId } = decision;
    if (written.has(keyOf(at, argv))) continue;
    await journal.record(
      {
        ...{ kind: 'decision', actor: ACTORS.policy, requestId, cluster, operation, ...run, phase, host, argv },
        ...{ stdinSha256: null, stdinBytes: 0, startedAt: new Date(at) },
      },
      { ...NO_OUTPUT, endedAt: new Date(), code: null, error: null },
    );
  }
}

/** A decision as the journal keeps it. */
const argvOf = ({ action, host = '', phase = '', reason = '' }: DecisionRecord): string[] => [
  action,
  host,
  phase,
  reason,
];

const keyOf = (at: string, argv: readonly string[]): string => JSON.stringify([new Date(at).toISOString(), argv]);
