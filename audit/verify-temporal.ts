import { KubewrightError } from '../contracts/errors.ts';
import type { Store } from '../store/index.ts';
import { chainOf } from '../store/journal-record.ts';
import { HistoryCheck } from './history-check.ts';
import type { WorkflowHistory } from './make-bundle.ts';
import { type Problem, Problems } from './problem.ts';
import { verifyChain } from './verify-database.ts';

/** What Temporal still remembers, against the journal. */
export interface TemporalVerdict {
  problems: readonly Problem[];
  /** Operations whose histories were compared. */
  compared: number;
  /** Operations of the journal that Temporal no longer has, or has not ended. */
  forgotten: number;
  running: number;
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

/** Compare the histories of all operations with their chains: results of tasks, plans, and what was never scheduled. */
export async function verifyTemporal(
  store: Pick<Store, 'chains' | 'blobs'>,
  temporal: TemporalReader,
): Promise<TemporalVerdict> {
  const problems = new Problems();
  const counts = { compared: 0, forgotten: 0, running: 0, anchors: 0 };
  const starts = new Map<string, { n: number; hash: string }>();
  for (let after = ''; ; ) {
    const page = await store.chains.marks(after, PAGE);
    for (const { chain, n, hash } of page) starts.set(chain, { n, hash });
    if (page.length < PAGE) break;
    after = page.at(-1)!.chain;
  }
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
      const where = `Temporal, ${head.id}`;
      try {
        for await (const { workflowId, json } of temporal.histories(cluster, operation)) {
          check.add(`Temporal, ${workflowId}`, json, problems.say);
        }
        check.end(where, problems.say);
        counts.compared += 1;
        counts.anchors += check.anchors;
      } catch (error) {
        if (KubewrightError.is(error) && error.code === 'NOT_FOUND') counts.forgotten += 1;
        else if (KubewrightError.is(error) && error.code === 'CONFLICT') counts.running += 1;
        else throw error;
      }
    }
    if (page.length < PAGE) break;
    after = page.at(-1)!.id;
  }
  for await (const { cluster, operation } of temporal.operations()) {
    const chain = chainOf({ cluster, operation });
    if (known.has(chain)) continue;
    problems.say({
      where: 'Temporal',
      record: chain,
      what: 'its workflow is there, and the journal knows nothing of it',
    });
  }
  return { problems: problems.kept, ...counts };
}
