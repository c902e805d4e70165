import { mkdirSync } from 'node:fs';
import type { Store } from '../store/index.ts';
import { ChainCheck, type ChainStart } from './chain-check.ts';
import { checkAnchors, checkSink } from './check-anchors.ts';
import { checkBundles } from './check-bundles.ts';
import { checkOperations, checkSpecs, checkTokens, JournalFacts } from './check-facts.ts';
import type { HashList } from './hash-list.ts';
import { MOST_PROBLEMS, type Problem, Problems, type Say } from './problem.ts';
import { readMark } from './pruning-mark.ts';

/** What was looked at, and what is wrong. */
export interface DatabaseVerdict {
  problems: readonly Problem[];
  chains: number;
  links: number;
  outputs: number;
  specs: number;
  bundles: number;
  tokens: number;
  operations: number;
  anchors: {
    count: number;
    /** When signing began; null: nothing was signed yet. */
    since: string | null;
    /** Links that were there before: nothing says when they were written. */
    before: number;
    /** Links behind the newest anchor: nothing has signed them yet. */
    unsigned: number;
    /** Anchors of the given sink that held; null: none was given. */
    sink: number | null;
  };
  /** Fingerprints of all keys that signed something. */
  signers: string[];
  /** `unknown`: something is signed, and no key was given to compare with. */
  signer: 'pinned' | 'unknown' | 'none';
}

export interface DatabaseOptions {
  /** Fingerprints of the keys that may have signed. */
  fingerprints?: readonly string[] | undefined;
  /** A file of anchors: an external sink. */
  sink?: string | undefined;
  /** The newest anchor that the service on this machine signed or saw: outside the database. */
  remembered?: { n: number; hash: string } | null | undefined;
}

type AuditStore = Pick<Store, 'chains' | 'anchors' | 'blobs' | 'bundles' | 'specs' | 'tokens' | 'operationRows'>;

const PAGE = 500;
/** The row of `chains` that counts all links. */
const ALL = '*';

/**
 * Check the journal of a database: every chain link by link, records that no chain leads to, every stored output, spec
 * and bundle, signed anchors, and that data that exists twice is equal. The database should have no writer meanwhile. `spool`
 * is a folder for bundles.
 */
export async function verifyDatabase(
  store: AuditStore,
  spool: string,
  { fingerprints = [], sink, remembered }: DatabaseOptions = {},
): Promise<DatabaseVerdict> {
  mkdirSync(spool, { recursive: true, mode: 0o700 });
  const problems = new Problems();
  const { say } = problems;
  const signers = new Set<string>();
  const mayBe = (fingerprint: string): boolean => {
    signers.add(fingerprint);
    return fingerprints.length === 0 || fingerprints.includes(fingerprint);
  };
  const starts = await readMarks(store, mayBe, say);
  const facts = new JournalFacts();
  const chains = await verifyChains(store, starts, facts, say);
  const { heads } = chains;
  const hashOf = (chain: string, n: number): string | null | undefined => {
    const found = heads.get(chain);
    return found && n < found.base ? null : found?.at(n);
  };

  const anchorContext = { hashOf, mayBe, links: chains.counted, say };
  const { hashes, ...anchors } = await checkAnchors(store.anchors, anchorContext);
  if (remembered && hashes.at(remembered.n) !== remembered.hash) {
    const what = 'it was signed on this machine, and the database has another one or none: an older state was put back';
    say({ where: 'anchors', record: `anchor ${remembered.n}`, what });
  }
  const sinkAnchors = sink === undefined ? null : await checkSink(sink, hashes, anchorContext);
  const outputs = await verifyOutputs(store, say);
  const specs = await checkSpecs(store.specs, facts, say);
  const operations = await checkOperations(store.operationRows, facts, (chain) => starts.has(chain), say);
  const tokens = await checkTokens(store.tokens, facts, say);
  const context = { hashOf, anchors: hashes, specs, operations, fingerprints, mayBe, say };
  const bundles = await checkBundles(store.bundles, context, spool);
  return {
    problems: problems.kept,
    ...{ chains: chains.count, links: chains.links, outputs, specs: specs.size, bundles, tokens },
    operations: operations.size,
    anchors: { ...anchors, sink: sinkAnchors },
    signers: [...signers],
    signer: signers.size === 0 ? 'none' : fingerprints.length > 0 ? 'pinned' : 'unknown',
  };
}

/** Where pruned chains begin. */
async function readMarks(
  store: AuditStore,
  mayBe: (fingerprint: string) => boolean,
  say: Say,
): Promise<Map<string, ChainStart>> {
  const starts = new Map<string, ChainStart>();
  for (let after = ''; ; ) {
    const page = await store.chains.marks(after, PAGE);
    for (const { chain, n, hash, entry } of page) {
      const bad = (what: string) => say({ where: 'chain_marks', record: chain, what });
      starts.set(chain, { n, hash });
      try {
        const { mark, fingerprint } = readMark(entry);
        if (!mayBe(fingerprint)) bad(`it was signed by ${fingerprint}, which is not the given key`);
        else if (mark.chain !== chain || mark.n !== n || mark.hash !== hash) bad('it is not what was signed');
      } catch (error) {
        bad(error instanceof Error ? error.message : String(error));
      }
    }
    if (page.length < PAGE) return starts;
    after = page.at(-1)!.chain;
  }
}

async function verifyChains(
  store: AuditStore,
  starts: ReadonlyMap<string, ChainStart>,
  facts: JournalFacts,
  say: Say,
): Promise<{ heads: Map<string, HashList>; count: number; links: number; counted: number }> {
  const heads = new Map<string, HashList>();
  let [counted, links] = [0, 0];
  for (let after = ''; ; ) {
    const page = await store.chains.heads(after, PAGE);
    for (const head of page) {
      if (head.id === ALL) {
        counted = head.n;
        if (head.hash !== '') say({ where: 'chains', record: ALL, what: 'its hash was changed: it has none' });
      } else {
        const check = await verifyChain(store, head, { start: starts.get(head.id), notice: facts.notice, say });
        heads.set(head.id, check.hashes);
        if (check.operation) {
          const { spec, specRow } = check.operation;
          facts.operations.set(head.id, check.operation);
          const named = facts.specs.get(spec) ?? { chain: head.id, rows: new Set() };
          facts.specs.set(spec, named);
          if (specRow !== '') named.rows.add(specRow);
        }
        links += check.length - check.hashes.base;
      }
    }
    if (page.length < PAGE) break;
    after = page.at(-1)!.id;
  }
  const { records, chains } = await store.chains.strays(MOST_PROBLEMS);
  for (const record of records) say({ where: 'journal', record: `record ${record}`, what: 'no link leads to it' });
  for (const chain of chains) say({ where: 'chains', record: chain, what: 'its head is missing' });
  const pruned = [...starts.values()].reduce((sum, { n }) => sum + n, 0);
  for (const chain of starts.keys()) {
    if (!heads.has(chain)) say({ where: 'chain_marks', record: chain, what: 'there is no such chain' });
  }
  const totals = await store.chains.totals();
  if (totals.links + pruned !== counted || (totals.last !== counted && (pruned === 0 || totals.last > counted))) {
    const what = `there are ${totals.links}, the last at position ${totals.last}; ${counted} were written`;
    say({ where: 'links', what: pruned === 0 ? what : `${what}, and ${pruned} were pruned` });
  }
  return { heads, count: heads.size, links, counted };
}

/** One chain, link by link. */
export async function verifyChain(
  store: Pick<AuditStore, 'chains' | 'blobs'>,
  head: { id: string; n: number; hash: string },
  { start, notice, say }: { start?: ChainStart | undefined; notice?: JournalFacts['notice'] | undefined; say: Say },
): Promise<ChainCheck> {
  const where = `journal, chain ${head.id}`;
  const check = new ChainCheck(head.id, where, { start, notice });
  let last = start?.n ?? 0;
  let pos = 0;
  for (;;) {
    const page = await store.chains.lines(head.id, last, PAGE);
    for (const link of page) {
      const problem = check.next(link);
      if (problem) say(problem);
      else if (link.pos <= pos) {
        say({ where, record: `link ${link.n}, record ${link.record}`, what: `its position ${link.pos} was changed` });
      }
      pos = link.pos;
      last = link.n;
    }
    if (page.length < PAGE) break;
  }
  if (last !== head.n || check.hashes.at(check.length) !== head.hash) {
    say({ where, record: `link ${head.n}`, what: `the chain should end with it and ends with link ${last}` });
  }
  const open = check.openRecords;
  for (let from = 0; from < open.length; from += PAGE) {
    for (const id of await store.chains.halfEnded(open.slice(from, from + PAGE))) {
      say({ where, record: `record ${id}`, what: 'it says how it ended, and no link does' });
    }
  }
  const named = [...check.outputs];
  for (let from = 0; from < named.length; from += PAGE) {
    const page = named.slice(from, from + PAGE);
    const known = await store.blobs.sizes(page.map(([digest]) => digest));
    for (const [digest, record] of page) {
      if (!known.has(digest))
        say({ where: 'blobs', record: `output of record ${record}`, what: `${digest} is missing` });
    }
  }
  return check;
}

async function verifyOutputs(store: AuditStore, say: Say): Promise<number> {
  let count = 0;
  for (let after = ''; ; ) {
    const page = await store.blobs.check(after, PAGE);
    for (const { digest, problem } of page) {
      if (problem !== null) say({ where: 'blobs', record: digest, what: problem });
      count += 1;
    }
    if (page.length < PAGE) return count;
    after = page.at(-1)!.digest;
  }
}
