import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { decodeTime } from 'ulid';
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
  specs: number;
  bundles: number;
}

type AuditStore = Pick<Store, 'chains' | 'blobs' | 'bundles' | 'specs'>;

const PAGE = 500;
const MOST_PROBLEMS = 20;
/** The row of `chains` that counts all links. */
const ALL = '*';

/**
 * Check the journal of a database: every chain link by link, records that no chain leads to, every stored output, spec
 * and bundle, and that bundles and chains agree. Nobody should write meanwhile. `spool` is a folder for bundles.
 */
export async function verifyDatabase(store: AuditStore, spool: string): Promise<DatabaseVerdict> {
  const verdict: DatabaseVerdict = { problems: [], chains: 0, links: 0, outputs: 0, specs: 0, bundles: 0 };
  const heads = new Map<string, readonly string[]>();
  const wanted = new Map<string, string>();
  const say = (...problems: Problem[]) => verdict.problems.push(...problems);
  let counted = 0;
  for (let after = ''; ; ) {
    const page = await store.chains.heads(after, PAGE);
    for (const head of page) {
      if (head.id === ALL) {
        counted = head.n;
        if (head.hash !== '') say({ where: 'chains', record: ALL, what: 'its hash was changed: it has none' });
      } else {
        const check = await verifyChain(store, head, say);
        heads.set(head.id, check.hashes);
        for (const digest of check.specs) wanted.set(digest, head.id);
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
  verdict.specs = await verifySpecs(store, wanted, say);
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

/** `wanted`: specs that chains name, each with one such chain. */
async function verifySpecs(store: AuditStore, wanted: ReadonlyMap<string, string>, say: Say): Promise<number> {
  const missing = new Map(wanted);
  let count = 0;
  for (let after = ''; ; ) {
    const page = await store.specs.check(after, PAGE);
    for (const { digest, problem } of page) {
      if (problem !== null) say({ where: 'specs', record: digest, what: problem });
      missing.delete(digest);
      count += 1;
    }
    if (page.length < PAGE) break;
    after = page.at(-1)!.digest;
  }
  say(
    ...[...missing].map(([digest, chain]) => ({ where: 'specs', record: digest, what: `${chain} names it: missing` })),
  );
  return count;
}

async function verifyBundles(
  store: AuditStore,
  heads: ReadonlyMap<string, readonly string[]>,
  spool: string,
  say: Say,
): Promise<number> {
  mkdirSync(spool, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(spool, 'check-'));
  const file = join(folder, 'bundle.tar');
  let count = 0;
  try {
    for (let after = { cluster: '', operation: '' }; ; ) {
      const page = await store.bundles.list(after, PAGE);
      for (const info of page) {
        say(...(await verifyStored(store, info, heads, file)));
        count += 1;
      }
      if (page.length < PAGE) break;
      after = page.at(-1)!;
    }
    for (const loose of await store.bundles.loose()) say(...(await verifyLoose(store, loose, file)));
    return count;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Pieces without a bundle. A save that was cut off leaves the beginning of a file; anything else was made so. */
async function verifyLoose(
  store: AuditStore,
  { id, pieces, last }: { id: string; pieces: number; last: number },
  file: string,
): Promise<Problem[]> {
  const bad = (what: string): Problem[] => [{ where: 'bundle_pieces', record: `bundle ${id}`, what }];
  if (pieces !== last + 1) return bad(`it has ${pieces} pieces up to number ${last}, and nothing names it`);
  const digest = await written(store, id, file);
  if ('problem' in digest) return bad(digest.problem);
  const { problems, cluster, operation } = verifyBundle(file);
  if (problems.length > 0) return [];
  return bad(`it is whole, of operation ${operation} of ${cluster}, and its row in bundles is missing`);
}

async function verifyStored(
  store: AuditStore,
  info: BundleInfo,
  heads: ReadonlyMap<string, readonly string[]>,
  file: string,
): Promise<Problem[]> {
  const where = `bundle of ${info.cluster} ${info.operation}`;
  const digest = await written(store, info.id, file);
  if ('problem' in digest) return [{ where, what: digest.problem }];
  const { problems, links, chain, head, cluster, operation } = verifyBundle(file);
  if (problems.length > 0) return problems.map((each) => ({ ...each, where: `${where}, ${each.where}` }));
  if (digest.sha256 !== info.sha256 || statSync(file).size !== info.size)
    return [{ where, what: 'it is another one than was stored' }];
  if (cluster !== info.cluster || operation !== info.operation)
    return [{ where, what: `it is of operation ${operation} of ${cluster}` }];
  if (heads.get(chain)?.[links] === head) {
    return timeOf(info.id) === info.createdAt ? [] : [{ where, what: 'its time was changed' }];
  }
  return [{ where: `journal, chain ${chain}`, record: `link ${links}`, what: 'the signed bundle has another one' }];
}

/** When a bundle with this id was kept. */
function timeOf(id: string): string {
  try {
    return new Date(decodeTime(id)).toISOString();
  } catch {
    return 'no time';
  }
}

/** Writes a bundle into the file, and returns its sha256. */
async function written(store: AuditStore, id: string, file: string): Promise<{ sha256: string } | { problem: string }> {
  const hash = createHash('sha256');
  const descriptor = openSync(file, 'w', 0o600);
  try {
    for await (const piece of store.bundles.read(id)) {
      hash.update(piece);
      writeSync(descriptor, piece);
    }
    return { sha256: hash.digest('hex') };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  } finally {
    closeSync(descriptor);
  }
}
