import type { z } from 'zod';
import type { blockedHost, clusterDetail, clusterSummary } from '../contracts/api.ts';
import type { ClusterSpec } from '../contracts/cluster.ts';
import { ERRORS, isErrorCode } from '../contracts/errors.ts';
import type { OperationStatus, QuarantinedHost, TaskStatus } from '../contracts/operation.ts';
import type { ClusterRecord } from '../store/projections.ts';

/** Reasons that a list shows of each cluster. */
const LISTED_REASONS = 5;

/** A cluster as lists show it. */
export function listedOf(record: ClusterRecord): z.infer<typeof clusterSummary> {
  const summary = summaryOf(record);
  if (!summary.health) return summary;
  const reasons = summary.health.reasons.slice(0, LISTED_REASONS).map((each) => ({ ...each, evidence: undefined }));
  return { ...summary, health: { ...summary.health, reasons } };
}

/** A cluster by itself: `ready` is said of one that is built and in which nothing is known to be wrong. */
export function summaryOf(record: ClusterRecord): z.infer<typeof clusterSummary> {
  return {
    name: record.name,
    state: record.state === 'ready' && record.health?.state === 'degraded' ? 'degraded' : record.state,
    health: record.health,
    specRef: record.specRef,
    kubernetesVersion: record.kubernetesVersion,
    hostCount: record.hosts,
    operation: record.latestOperation,
    createdAt: record.createdAt,
    updatedAt: record.updatedAt,
  };
}

/** Hosts of the spec with how far the operation is on each. */
export function hostsOf(
  spec: ClusterSpec,
  tasks: readonly TaskStatus[],
  quarantine: readonly QuarantinedHost[],
): z.infer<typeof clusterDetail>['hosts'] {
  const byHost = Map.groupBy(tasks, (task) => task.host);
  const out = new Map(quarantine.map((each) => [each.host, each]));
  return spec.spec.hosts.map(({ name, address, roles }) => {
    const own = byHost.get(name) ?? [];
    const done = own.filter((task) => task.state === 'succeeded').length;
    const quarantined = out.get(name);
    const state = quarantined && own.length === 0 ? 'quarantined' : hostState(own, done);
    const counts = { tasksDone: done, tasks: own.length };
    return { name, address, roles, state, ...counts, ...(quarantined ? { quarantined } : {}) };
  });
}

type HostState = z.infer<typeof clusterDetail>['hosts'][number]['state'];

function hostState(own: readonly TaskStatus[], done: number): HostState {
  const has = (state: TaskStatus['state']) => own.some((task) => task.state === state);
  if (has('blocked')) return 'blocked';
  if (has('skipped')) return 'quarantined';
  if (has('failed') || has('cancelled')) return 'failed';
  if (own.length > 0 && done === own.length) return 'done';
  return has('running') || done > 0 ? 'running' : 'pending';
}

/** How many tasks are in which state. */
export const countsOf = (tasks: readonly TaskStatus[]): z.infer<typeof clusterDetail>['taskCounts'] =>
  Object.fromEntries([...Map.groupBy(tasks, ({ state }) => state)].map(([state, some]) => [state, some.length]));

/** What broke, where, why, and what to do: one line per blocked task. */
export function blockedHostsOf(tasks: readonly TaskStatus[]): z.infer<typeof blockedHost>[] {
  return tasks
    .filter((task) => task.state === 'blocked')
    .slice(0, 1000)
    .map(({ host, phase, error, policy }) => {
      // A version before or after this one may have had other codes.
      const code = isErrorCode(error?.code) ? error.code : 'INTERNAL';
      return {
        host,
        phase,
        code,
        cause: error?.message ?? ERRORS[code].title,
        hint: ERRORS[code].hint,
        ...(error?.evidence === undefined ? {} : { evidence: error.evidence }),
        ...(error?.blames?.length ? { blames: error.blames } : {}),
        ...(policy === undefined ? {} : { policy }),
      };
    });
}

/** When each phase began and ended, in the order of beginning. */
export function timingsOf(status: OperationStatus | null, now: number): z.infer<typeof clusterDetail>['timings'] {
  if (!status) return { phases: [] };
  const { startedAt, endedAt } = status;
  const phases = [...Map.groupBy(status.tasks, (task) => task.phase)].flatMap(([phase, tasks]) => {
    const starts = tasks.flatMap((task) => task.startedAt ?? []).sort();
    const ends = tasks.flatMap((task) => task.endedAt ?? []).sort();
    const [first] = starts;
    if (first === undefined) return [];
    const last = tasks.every((task) => task.endedAt !== undefined) ? ends.at(-1) : undefined;
    const ms = (last === undefined ? now : Date.parse(last)) - Date.parse(first);
    return [{ phase, firstStartedAt: first, ms, ...(last === undefined ? {} : { lastEndedAt: last }) }];
  });
  return {
    phases: phases.sort((a, b) => (a.firstStartedAt < b.firstStartedAt ? -1 : 1)),
    ...(startedAt === undefined ? {} : { startedAt, elapsedMs: elapsed(startedAt, endedAt, now) }),
    ...(endedAt === undefined ? {} : { endedAt }),
  };
}

/** From start to end, or to now. */
export function elapsed(startedAt: string, endedAt: string | undefined, now: number): number {
  return Math.max(0, (endedAt === undefined ? now : Date.parse(endedAt)) - Date.parse(startedAt));
}
