import type { Kysely } from 'kysely';
import { canonicalJson } from './canonical.ts';
import { FINAL_STATES, type StatusHead } from './changes.ts';
import { storedTraits } from './operation-traits.ts';
import type { OperationRow, Tables } from './schema.ts';
import { isTime } from './time.ts';

/** An operation's row, as far as the journal and bundles say the same. */
export interface CheckedOperation extends Pick<OperationRow, 'cluster' | 'kind' | 'mode' | 'state' | 'actor'> {
  operation: string;
  /** It is in a state that it never leaves. */
  over: boolean;
  actorId: string | undefined;
  /** Digest of the spec that it began with. */
  spec: string;
  /** What the columns and the status in the row say differently; null: nothing. */
  problem: string | null;
  /** What a bundle's status.json says as well, as canonical JSON. */
  sealed: string;
}

/** Rows of operations, for the audit. */
export interface OperationRows {
  /** Behind a cluster and operation, in their order. */
  check(after: { cluster: string; operation: string }, limit: number): Promise<CheckedOperation[]>;
}

/** Members of a status that never change once the operation is over. */
const SEALED = [
  ...(['operationId', 'cluster', 'kind', 'mode', 'state', 'actor', 'actorId', 'specRef', 'queuedAt'] as const),
  ...(['startedAt', 'hosts'] as const),
] as const;

/** Of a status, what a bundle and the row must agree on, as canonical JSON. */
export const sealedFacts = (status: Partial<StatusHead>): string =>
  canonicalJson(Object.fromEntries(SEALED.map((name) => [name, status[name]])));

export function operationRows(db: Kysely<Tables>): OperationRows {
  return {
    async check({ cluster, operation }, limit) {
      const rows = await db
        .selectFrom('operations')
        .selectAll()
        .where((where) =>
          where.or([
            where('cluster', '>', cluster),
            where.and([where('cluster', '=', cluster), where('id', '>', operation)]),
          ]),
        )
        .orderBy('cluster')
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(checked);
    },
  };
}

function checked(row: OperationRow): CheckedOperation {
  const columns = {
    ...{ cluster: row.cluster, operation: row.id, kind: row.kind, mode: row.mode, state: row.state },
    ...{ actor: row.actor, spec: row.spec_ref, over: FINAL_STATES.has(row.state as StatusHead['state']) },
  };
  let status: StatusHead;
  let effect: string;
  try {
    status = JSON.parse(row.status) as StatusHead;
    // A row that an earlier version wrote has no traits, and the default effect.
    effect = row.traits === null ? row.effect : storedTraits(row).effect;
  } catch {
    return { ...columns, actorId: undefined, problem: 'its status or its traits are not JSON', sealed: '' };
  }
  const differing = Object.entries({
    cluster: [row.cluster, status.cluster],
    id: [row.id, status.operationId],
    kind: [row.kind, status.kind],
    mode: [row.mode, status.mode],
    effect: [row.effect, effect],
    state: [row.state, status.state],
    actor: [row.actor, status.actor],
    queued_at: [row.queued_at, status.queuedAt ?? row.queued_at],
    started_at: [row.started_at, status.startedAt ?? null],
    ended_at: [row.ended_at, status.endedAt ?? null],
  }).find(([, [column, stated]]) => column !== stated);
  const wrong = differing === undefined ? null : `its ${differing[0]} differs from its status or traits`;
  const problem = wrong ?? (isTime(row.updated_at) ? null : 'the time of its last change is no time');
  return { ...columns, actorId: status.actorId, problem, sealed: sealedFacts(status) };
}
