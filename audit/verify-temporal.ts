import { KubewrightError } from '../contracts/errors.ts';
import type { Store } from '../store/index.ts';
import { chainOf } from '../store/journal-record.ts';
import type { CheckedOperation } from '../store/operation-rows.ts';
import type { OperationFacts } from './chain-check.ts';
import { HistoryCheck, type Requested } from './history-check.ts';
import type { WorkflowHistory } from './make-bundle.ts';
import { MOST_PROBLEMS, type Problem, Problems, type Say } from './problem.ts';
import { verifyChain } from './verify-database.ts';

/** What Temporal still remembers, against the journal. */
export interface TemporalVerdict {
  problems: readonly Problem[];
  /** Operations whose histories were compared. */
  compared: number;
  /** Operations of the journal that Temporal no longer has. */
  deleted: number;
  /** Operations that have not ended in Temporal: they are not compared. */
  running: number;
  /** Chains of the first of those that run. */
  skipped: readonly string[];
  /** Results of tasks whose chain head held. */
  anchors: number;
}

/** What is asked of Temporal. */
export interface TemporalReader {
  /** Throws NOT_FOUND when Temporal has none, CONFLICT while the operation runs. */
  histories: (cluster: string, operation: string) => AsyncIterable<WorkflowHistory>;
  /** Every operation whose workflow Temporal has. */
  operations: () => AsyncIterable<{ cluster: string; operation: string }>;
}

const PAGE = 500;
const OPERATION = /^cluster\/([^/]+)\/op\/([^/]+)$/;

/**
 * Compare the histories of all operations with their chains and rows: results of tasks, plans, who asked for what, and what
 * was never scheduled. Operations that still run are counted and not compared: their histories go on.
 */
export async function verifyTemporal(
  store: Pick<Store, 'chains' | 'blobs' | 'operationRows'>,
  temporal: TemporalReader,
): Promise<TemporalVerdict> {
  const problems = new Problems();
  const counts = { compared: 0, deleted: 0, running: 0, anchors: 0 };
  const skipped: string[] = [];
  const starts = new Map<string, { n: number; hash: string }>();
  for (let after = ''; ; ) {
    const page = await store.chains.marks(after, PAGE);
    for (const { chain, n, hash } of page) starts.set(chain, { n, hash });
    if (page.length < PAGE) break;
    after = page.at(-1)!.chain;
  }
  const rows = await operationRows(store);
  /** What became of the histories of an operation: read to the end, not there, or not at their end. */
  const read = async (
    { cluster, operation }: { cluster: string; operation: string },
    see: (history: WorkflowHistory) => void,
  ): Promise<'read' | 'deleted' | 'running'> => {
    try {
      for await (const history of temporal.histories(cluster, operation)) see(history);
      return 'read';
    } catch (error) {
      if (KubewrightError.is(error) && error.code === 'NOT_FOUND') return 'deleted';
      if (!KubewrightError.is(error) || error.code !== 'CONFLICT') throw error;
      counts.running += 1;
      if (skipped.length < MOST_PROBLEMS) skipped.push(chainOf({ cluster, operation }));
      return 'running';
    }
  };
  const known = new Set<string>();
  for (let after = ''; ; ) {
    const page = await store.chains.heads(after, PAGE);
    for (const head of page) {
      const [, cluster, operation] = OPERATION.exec(head.id) ?? [];
      if (cluster === undefined || operation === undefined) continue;
      known.add(head.id);
      // What is wrong with the chain itself was said when the database was checked.
      const chain = await verifyChain(store, head, { start: starts.get(head.id), say: () => undefined });
      const check = new HistoryCheck(chain);
      const outcome = await read({ cluster, operation }, ({ workflowId, json }) =>
        check.add(`Temporal, ${workflowId}`, json, problems.say),
      );
      if (outcome === 'deleted') counts.deleted += 1;
      if (outcome !== 'read') continue;
      const where = `Temporal, ${head.id}`;
      check.end(where, problems.say);
      if (check.requested)
        compareRequested(where, check.requested, { opened: chain.operation, row: rows.get(head.id) }, problems.say);
      counts.compared += 1;
      counts.anchors += check.anchors;
    }
    if (page.length < PAGE) break;
    after = page.at(-1)!.id;
  }
  for await (const { cluster, operation } of temporal.operations()) {
    const chain = chainOf({ cluster, operation });
    if (known.has(chain)) continue;
    // One that has just begun may have written nothing yet.
    if ((await read({ cluster, operation }, () => undefined)) !== 'read') continue;
    problems.say({
      where: 'Temporal',
      record: chain,
      what: 'its workflow exists, and the journal has no record of it',
    });
  }
  return { problems: problems.kept, skipped, ...counts };
}

/** Without the spec: an amendment changes that of the row. */
type Row = Pick<CheckedOperation, 'kind' | 'mode' | 'actor' | 'actorId'>;

/** Rows of all operations by the operation's chain. */
async function operationRows(store: Pick<Store, 'operationRows'>): Promise<Map<string, Row>> {
  const found = new Map<string, Row>();
  for (let after = { cluster: '', operation: '' }; ; ) {
    const page = await store.operationRows.check(after, PAGE);
    for (const { cluster, operation, kind, mode, actor, actorId } of page) {
      found.set(chainOf({ cluster, operation }), { kind, mode, actor, actorId });
    }
    if (page.length < PAGE) return found;
    after = page.at(-1)!;
  }
}

/** The input of the workflow against the record that opened the operation, and against its row. */
function compareRequested(
  where: string,
  requested: Requested,
  { opened, row }: { opened: OperationFacts | undefined; row: Row | undefined },
  say: Say,
): void {
  const differing = (is: Partial<Record<keyof Requested, string | undefined>>): [string, string, string][] =>
    (Object.keys(requested) as (keyof Requested)[]).flatMap((name) => {
      const found = is[name];
      return found === undefined || found === requested[name] ? [] : [[name, requested[name], found]];
    });
  for (const [name, was, is] of opened ? differing({ ...opened }) : []) {
    say({ where, what: `its workflow was started with the ${name} ${was}; the journal says ${is}` });
  }
  for (const [name, was, is] of row ? differing({ ...row }) : []) {
    say({ where, what: `its workflow was started with the ${name} ${was}; the table operations says ${is}` });
  }
}
