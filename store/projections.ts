import type { Kysely, Transaction } from 'kysely';
import type { Health } from '../contracts/health.ts';
import type { OperationStatus, QuarantinedHost, TaskStatus } from '../contracts/operation.ts';
import type { OperationTraits } from '../contracts/operation-traits.ts';
import {
  ACTIVE_STATES,
  type ClusterState,
  FINAL_STATES,
  type StatusEvent,
  type StatusHead,
  statusEvents,
} from './changes.ts';
import { type BuiltCluster, builtCluster, type ClusterOutcome, clusterOutcome, wasBuilt } from './cluster-outcome.ts';
import { appendEvents } from './events.ts';
import { healthFrom, saveHealth } from './health-rows.ts';
import { knownTraits } from './operation-traits.ts';
import { quarantineOf, saveQuarantine } from './quarantine-rows.ts';
import type { ClusterRow, Tables } from './schema.ts';
import type { SpecStore } from './specs.ts';
import { endTasks, listedTasks, saveTasks, type TaskCounts, tasksOf } from './task-rows.ts';
import { now } from './time.ts';

export interface ClusterRecord {
  name: string;
  specRef: string;
  state: ClusterState;
  kubernetesVersion: string;
  hosts: number;
  latestOperation: string | null;
  /** As it was last seen, by whatever operation. */
  health: Health | null;
  createdAt: string;
  updatedAt: string;
}

/** Read models: what lists, status answers and live events show. Rebuilt by the next status that a workflow sends. */
export interface Projections {
  /**
   * Keep a status, the state of its cluster, and an event per change. Its tasks are those that changed: others stay as
   * they are. A final state stays final: a late repetition of an older status is ignored. `onlyNew` leaves a known
   * operation alone. `traits`: those of its kind; default: as they were saved before.
   */
  saveOperation(
    status: OperationStatus,
    more?: { onlyNew?: boolean; traits?: OperationTraits | undefined },
  ): Promise<void>;
  /** Keep changed tasks of an operation that has not ended, and an event for each. */
  saveTasks(cluster: string, operationId: string, tasks: readonly TaskStatus[]): Promise<void>;
  operation(cluster: string, id: string): Promise<OperationStatus | null>;
  /** The pause in force, null when there is none. */
  pauseOf(cluster: string, id: string): Promise<NonNullable<OperationStatus['pause']> | null>;
  /** Newest first. Operations of very many tasks come without them. */
  operations(
    cluster: string,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<{ items: (OperationStatus & { taskCounts: TaskCounts })[]; next: string | null }>;
  /** The newest operation of the cluster, whatever its mode. */
  latestOperation(cluster: string): Promise<OperationStatus | null>;
  /** The operation that has begun and not ended, or null. */
  activeOperation(cluster: string): Promise<OperationStatus | null>;
  /** Operations of all clusters that have not ended and whose status is older than `before` (ISO time), the oldest first. */
  unfinished(before: string, limit: number): Promise<OperationStatus[]>;
  /** The greatest operation id of the cluster, or null. Ids sort by age. */
  lastOperationId(cluster: string): Promise<string | null>;
  /** True when there was ever an operation of that cluster, a dry run included. */
  hasOperations(cluster: string): Promise<boolean>;
  /** Operations of all clusters that change nothing, were asked for since then, and have not ended. */
  openDryRuns(since: Date): Promise<number>;
  /** Hosts of the cluster in quarantine, by name. */
  quarantine(cluster: string): Promise<QuarantinedHost[]>;
  cluster(name: string): Promise<ClusterRecord | null>;
  /** A build of all phases and hosts has gone through since the cluster came to be, or came to be again after a teardown. */
  wasBuilt(cluster: string): Promise<boolean>;
  /** The last such build; null before the first. */
  built(cluster: string): Promise<BuiltCluster | null>;
  /** By name. */
  clusters(page: {
    limit: number;
    cursor?: string | undefined;
    /** Only these; absent or null: all. */
    names?: readonly string[] | null | undefined;
  }): Promise<{ items: ClusterRecord[]; next: string | null }>;
  /** Called after each save in this process, with the cluster's name. Returns the function that ends it. */
  onChange(listener: (cluster: string) => void): () => void;
  /** Calls the listeners of `onChange` for a save that another process made. */
  changed(cluster: string): void;
}

/** Final states that a queued operation may get before it began. */
const NEVER_RAN: ReadonlySet<OperationStatus['state']> = new Set(['cancelled', 'lost']);

export function projections(db: Kysely<Tables>, specs: SpecStore): Projections {
  const listeners = new Set<(cluster: string) => void>();
  const headOf = (row: { status: string } | undefined) => (row ? (JSON.parse(row.status) as StatusHead) : null);
  const whole = async (cluster: string, row: { status: string } | undefined): Promise<OperationStatus | null> => {
    const head = headOf(row);
    return head && { ...head, tasks: await tasksOf(db, { cluster, operationId: head.operationId }) };
  };

  const rowOf = (cluster: string, id: string) =>
    db.selectFrom('operations').select('status').where('cluster', '=', cluster).where('id', '=', id).executeTakeFirst();

  async function save(
    tx: Transaction<Tables>,
    status: OperationStatus,
    { onlyNew, traits }: { onlyNew: boolean; traits: OperationTraits },
  ): Promise<StatusEvent[] | null> {
    const at = now();
    const { tasks, ...head } = status;
    const row = await tx
      .selectFrom('operations')
      .select(['status', 'queued_at'])
      .where('cluster', '=', status.cluster)
      .where('id', '=', status.operationId)
      .executeTakeFirst();
    const before = headOf(row);
    if (before && onlyNew) return null;
    // An end is final: a workflow that was reset in Temporal reports another one.
    if (before && FINAL_STATES.has(before.state) && before.state !== status.state) return null;
    const changed = {
      state: status.state,
      queued_at: status.queuedAt ?? row?.queued_at ?? status.startedAt ?? at,
      started_at: status.startedAt ?? null,
      ended_at: status.endedAt ?? null,
      status: JSON.stringify(head),
      updated_at: at,
    };
    await tx
      .insertInto('operations')
      .values({
        cluster: status.cluster,
        id: status.operationId,
        kind: status.kind,
        mode: status.mode,
        actor: status.actor,
        spec_ref: status.specRef,
        traits: JSON.stringify(traits),
        effect: traits.effect,
        ...changed,
      })
      .onConflict((conflict) => conflict.columns(['cluster', 'id']).doUpdateSet(changed))
      .execute();
    const changes = await saveTasks(tx, status, tasks);
    if (FINAL_STATES.has(status.state)) changes.push(...(await endTasks(tx, status)));
    return statusEvents(changes, status.operationId, { before, after: head });
  }

  /** A dry run says nothing of the cluster. */
  async function saveCluster(tx: Transaction<Tables>, status: OperationStatus, outcome: ClusterOutcome): Promise<void> {
    const at = now();
    // One that waits behind another, or was removed from the queue, does not determine the cluster's state.
    const waiting = status.state === 'queued' || (NEVER_RAN.has(status.state) && status.startedAt === undefined);
    const record = {
      spec_ref: outcome.specRef,
      state: outcome.state,
      kubernetes_version: outcome.kubernetesVersion,
      hosts: outcome.hosts,
      latest_operation: status.operationId,
    };
    await tx
      .insertInto('clusters')
      .values({ name: status.cluster, ...record, created_at: at, updated_at: at, health: null, health_state: null })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ ...(waiting ? {} : record), updated_at: at }))
      .execute();
    if (status.quarantine && !waiting) await saveQuarantine(tx, status.cluster, status.quarantine);
  }

  return {
    async saveOperation(status, { onlyNew = false, traits: given } = {}) {
      const traits = given ?? (await knownTraits(db, status));
      const outcome = status.mode === 'apply' ? await clusterOutcome(db, specs, { ...status, traits }) : null;
      const saved = await db.transaction().execute(async (tx) => {
        const events = await save(tx, status, { onlyNew, traits });
        if (!events) return false;
        if (outcome) await saveCluster(tx, status, outcome);
        await saveHealth(tx, status, outcome?.state === 'removed');
        await appendEvents(tx, { cluster: status.cluster, operation: status.operationId }, events);
        return true;
      });
      if (saved) for (const listener of listeners) listener(status.cluster);
    },
    async saveTasks(cluster, operationId, tasks) {
      const saved = await db.transaction().execute(async (tx) => {
        const row = await tx
          .selectFrom('operations')
          .select('state')
          .where('cluster', '=', cluster)
          .where('id', '=', operationId)
          .executeTakeFirst();
        if (!row || FINAL_STATES.has(row.state as OperationStatus['state'])) return false;
        const changes = await saveTasks(tx, { cluster, operationId }, tasks);
        await appendEvents(tx, { cluster, operation: operationId }, statusEvents(changes, operationId, null));
        return changes.length > 0;
      });
      if (saved) for (const listener of listeners) listener(cluster);
    },
    async operation(cluster, id) {
      return await whole(cluster, await rowOf(cluster, id));
    },
    async pauseOf(cluster, id) {
      return headOf(await rowOf(cluster, id))?.pause ?? null;
    },
    async operations(cluster, { limit, cursor }) {
      let query = db
        .selectFrom('operations')
        .select(['id', 'status', 'queued_at'])
        .where('cluster', '=', cluster)
        .orderBy('queued_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1);
      if (cursor !== undefined) {
        const at = cursor.slice(0, cursor.indexOf('_'));
        const id = cursor.slice(cursor.indexOf('_') + 1);
        query = query.where((where) =>
          where.or([where('queued_at', '<', at), where.and([where('queued_at', '=', at), where('id', '<', id)])]),
        );
      }
      const rows = await query.execute();
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      const tasks = await listedTasks(
        db,
        cluster,
        page.map((row) => row.id),
      );
      return {
        items: page.map((row) => ({ ...headOf(row)!, ...tasks.get(row.id)! })),
        next: rows.length > limit && last ? `${last.queued_at}_${last.id}` : null,
      };
    },
    async unfinished(before, limit) {
      const rows = await db
        .selectFrom('operations')
        .select(['cluster', 'status'])
        .where('state', 'not in', [...FINAL_STATES])
        .where('updated_at', '<', before)
        .orderBy('queued_at')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ ...headOf(row)!, tasks: [] }));
    },
    async lastOperationId(cluster) {
      const row = await db
        .selectFrom('operations')
        .select('id')
        .where('cluster', '=', cluster)
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row?.id ?? null;
    },
    async latestOperation(cluster) {
      const row = await db
        .selectFrom('operations')
        .select('status')
        .where('cluster', '=', cluster)
        .orderBy('queued_at', 'desc')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      return await whole(cluster, row);
    },
    async activeOperation(cluster) {
      const row = await db
        .selectFrom('operations')
        .select('status')
        .where('cluster', '=', cluster)
        .where('state', 'in', [...ACTIVE_STATES])
        .orderBy('queued_at', 'desc')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      return await whole(cluster, row);
    },
    async hasOperations(cluster) {
      const row = await db
        .selectFrom('operations')
        .select('id')
        .where('cluster', '=', cluster)
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },
    async openDryRuns(since) {
      const { found } = await db
        .selectFrom('operations')
        .select(({ fn }) => fn.countAll().as('found'))
        .where('mode', '=', 'check')
        .where('state', 'not in', [...FINAL_STATES])
        .where('queued_at', '>', since.toISOString())
        .executeTakeFirstOrThrow();
      return Number(found);
    },
    quarantine: (cluster) => quarantineOf(db, cluster),
    built: (cluster) => builtCluster(db, specs, cluster),
    wasBuilt: (cluster) => wasBuilt(db, specs, cluster),
    async cluster(name) {
      const row = await db.selectFrom('clusters').selectAll().where('name', '=', name).executeTakeFirst();
      return row ? clusterOf(row) : null;
    },
    async clusters({ limit, cursor, names }) {
      let query = db
        .selectFrom('clusters')
        .selectAll()
        .orderBy('name')
        .limit(limit + 1);
      if (cursor !== undefined) query = query.where('name', '>', cursor);
      if (names) query = query.where('name', 'in', names);
      const rows = await query.execute();
      const items = rows.slice(0, limit).map(clusterOf);
      return { items, next: rows.length > limit ? (items.at(-1)?.name ?? null) : null };
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    changed(cluster) {
      for (const listener of listeners) listener(cluster);
    },
  };
}

function clusterOf(row: ClusterRow): ClusterRecord {
  return {
    name: row.name,
    specRef: row.spec_ref,
    state: row.state as ClusterState,
    kubernetesVersion: row.kubernetes_version,
    hosts: row.hosts,
    latestOperation: row.latest_operation,
    health: healthFrom(row.health),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
