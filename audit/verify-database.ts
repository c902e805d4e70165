import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { BundleInfo } from '../store/bundles.ts';
import type { Store } from '../store/index.ts';
import { ChainCheck } from './chain-check.ts';
import type { Problem } from './problem.ts';
import { verifyBundle } from './verify-bundle.ts';

/** What was looked at, and what is wrong. */
export interface DatabaseVerdict {
  problems: Problem[];
  chains: number;
  links: number;
  outputs: number;
  bundles: number;
}

type AuditStore = Pick<Store, 'chains' | 'blobs' | 'bundles'>;

const PAGE = 500;
const MOST_PROBLEMS = 20;
/** The row of `chains` that counts all links. */
const ALL = '*';

/**
 * Check the journal of a database: every chain link by link, records that no chain leads to, every stored output, every
 * bundle, and that bundles and chains agree. Nobody should write meanwhile. `spool` is a folder for bundles.
 */
export async function verifyDatabase(store: AuditStore, spool: string): Promise<DatabaseVerdict> {
  const verdict: DatabaseVerdict = { problems: [], chains: 0, links: 0, outputs: 0, bundles: 0 };
  const heads = new Map<string, readonly string[]>();
  const say = (...problems: Problem[]) => verdict.problems.push(...problems);
  let counted = 0;
  for (let after = ''; ; ) {
    const page = await store.chains.heads(after, PAGE);
    for (const head of page) {
      if (head.id === ALL) counted = head.n;
      else {
        const check = await verifyChain(store, head, say);
        heads.set(head.id, check.hashes);
        verdict.chains += 1;
        verdict.links += check.length;
      }
    }
    if (page.length < PAGE) break;
    after = page.at(-1)!.id;
  }
  const { records, chains } = await store.chains.strays(MOST_PROBLEMS);
  say(...records.map((record) => ({ where: 'journal', record: `record ${record}`, what: 'no link leads to it' })));
  say(...chains.map((chain) => ({ where: 'chains', record: chain, what: 'its head is missing' })));
  const { links, last } = await store.chains.totals();
  if (links !== counted || last !== counted) {
    say({ where: 'links', what: `there are ${links}, the last at position ${last}; ${counted} were written` });
  }
  verdict.outputs = await verifyOutputs(store, say);
  verdict.bundles = await verifyBundles(store, heads, spool, say);
  return { ...verdict, problems: verdict.problems.slice(0, MOST_PROBLEMS) };
}

type Say = (...problems: Problem[]) => void;

async function verifyChain(
  store: AuditStore,
  head: { id: string; n: number; hash: string },
  say: Say,
): Promise<ChainCheck> {
  const where = `journal, chain ${head.id}`;
  const check = new ChainCheck(head.id, where);
  let last = 0;
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
  if (last !== head.n || check.hashes.at(-1) !== head.hash) {
    say({ where, record: `link ${head.n}`, what: `the chain should end with it and ends with link ${last}` });
  }
  const open = check.openRecords;
  for (let from = 0; from < open.length; from += PAGE) {
    const wrong = await store.chains.halfEnded(open.slice(from, from + PAGE));
    say(...wrong.map((id) => ({ where, record: `record ${id}`, what: 'it says how it ended, and no link does' })));
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

async function verifyBundles(
  store: AuditStore,
  heads: ReadonlyMap<string, readonly string[]>,
  spool: string,
  say: Say,
): Promise<number> {
  mkdirSync(spool, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(spool, 'check-'));
  let count = 0;
  try {
    for (let after = { cluster: '', operation: '' }; ; ) {
      const page = await store.bundles.list(after, PAGE);
      for (const info of page) {
        say(...(await verifyStored(store, info, heads, join(folder, 'bundle.tar'))));
        count += 1;
      }
      if (page.length < PAGE) return count;
      after = page.at(-1)!;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function verifyStored(
  store: AuditStore,
  info: BundleInfo,
  heads: ReadonlyMap<string, readonly string[]>,
  file: string,
): Promise<Problem[]> {
  const where = `bundle of ${info.cluster} ${info.operation}`;
  const hash = createHash('sha256');
  const descriptor = openSync(file, 'w', 0o600);
  try {
    for await (const piece of store.bundles.read(info.id)) {
      hash.update(piece);
      writeSync(descriptor, piece);
    }
  } catch (error) {
    return [{ where, what: error instanceof Error ? error.message : String(error) }];
  } finally {
    closeSync(descriptor);
  }
  const { problems, links, chain, head } = verifyBundle(file);
  if (problems.length > 0) return problems.map((each) => ({ ...each, where: `${where}, ${each.where}` }));
  if (hash.digest('hex') !== info.sha256 || statSync(file).size !== info.size)
    return [{ where, what: 'it is another one than was stored' }];
  if (heads.get(chain)?.[links] === head) return [];
  return [{ where: `journal, chain ${chain}`, record: `link ${links}`, what: 'the signed bundle has another one' }];
}
