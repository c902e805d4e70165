import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { decodeTime } from 'ulid';
import type { BundleInfo } from '../store/bundles.ts';
import type { StatusHead } from '../store/changes.ts';
import type { Store } from '../store/index.ts';
import { sealedFacts } from '../store/operation-rows.ts';
import type { HashList } from './hash-list.ts';
import type { Manifest } from './manifest.ts';
import type { Say } from './problem.ts';
import { verifyBundle } from './verify-bundle.ts';

const PAGE = 500;

/** What stored bundles are compared with. */
export interface BundleContext {
  /** Hash of a link; undefined: there is none; null: it was pruned. */
  hashOf: (chain: string, n: number) => string | null | undefined;
  /** Hashes of anchors by number. */
  anchors: HashList;
  /** Specs as their rows say. */
  specs: ReadonlyMap<string, { cluster: string; createdAt: string }>;
  /** What rows of operations say that status.json says as well, by chain. */
  operations: ReadonlyMap<string, string>;
  /** Fingerprints of the keys that may have signed; none: any. */
  fingerprints: readonly string[];
  /** Sees the fingerprint of each signature, and says whether that key may sign. */
  mayBe: (fingerprint: string) => boolean;
  say: Say;
}

/** Checks every stored bundle by itself, and against what the database says of the same. Returns how many there are. */
export async function checkBundles(bundles: Store['bundles'], context: BundleContext, spool: string): Promise<number> {
  const folder = mkdtempSync(join(spool, 'check-'));
  const file = join(folder, 'bundle.tar');
  let count = 0;
  try {
    for (let after = { cluster: '', operation: '' }; ; ) {
      const page = await bundles.list(after, PAGE);
      for (const info of page) {
        await checkStored(bundles, info, context, file);
        count += 1;
      }
      if (page.length < PAGE) break;
      after = page.at(-1)!;
    }
    for (const loose of await bundles.loose()) await checkLoose(bundles, loose, context.say, file);
    return count;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function checkStored(
  bundles: Store['bundles'],
  info: BundleInfo,
  context: BundleContext,
  file: string,
): Promise<void> {
  const where = `bundle of ${info.cluster} ${info.operation}`;
  const { hashOf, anchors, specs, operations, fingerprints, say } = context;
  const digest = await written(bundles, info.id, file);
  if ('problem' in digest) return say({ where, what: digest.problem });
  let manifest: Manifest | undefined;
  let status: string | undefined;
  const requests: { number: number; hash: string; line: string }[] = [];
  const verdict = verifyBundle(file, {
    fingerprints,
    onManifest: (given) => (manifest = given),
    onRequest: (line) => requests.push(line),
    onStatus: (text) => (status = text),
  });
  const { problems, links, chain, head, cluster, operation } = verdict;
  if (problems.length > 0) {
    for (const each of problems) say({ ...each, where: `${where}, ${each.where}` });
    return;
  }
  context.mayBe(verdict.fingerprint);
  if (digest.sha256 !== info.sha256 || statSync(file).size !== info.size) {
    return say({ where, what: 'it is another one than was stored' });
  }
  if (cluster !== info.cluster || operation !== info.operation) {
    return say({ where, what: `it is of operation ${operation} of ${cluster}` });
  }
  const differs = (of: string, n: number, hash: string): boolean => {
    const found = hashOf(of, n);
    return found !== null && found !== hash;
  };
  if (differs(chain, links, head)) {
    return say({
      where: `journal, chain ${chain}`,
      record: `link ${links}`,
      what: 'the signed bundle has another one',
    });
  }
  if (timeOf(info.id) !== info.createdAt) say({ where, what: 'its time was changed' });
  for (const { number, hash, line } of requests) {
    const place = placeOf(line);
    if (place && !differs(place.chain, place.n, hash)) continue;
    const at = place
      ? { where: `journal, chain ${place.chain}`, record: `link ${place.n}, record ${place.id}` }
      : { where };
    say({ ...at, what: `it is not what line ${number} of requests.jsonl in the signed ${where} says` });
  }
  for (const each of manifest?.heads ?? []) {
    if (!differs(each.chain, each.n, each.hash)) continue;
    const what = `the signed ${where} names another head: it, or a link before it, was changed or removed`;
    say({ where: `journal, chain ${each.chain}`, record: `link ${each.n}`, what });
  }
  const { anchor } = manifest ?? {};
  if (anchor && anchors.at(anchor.n) !== anchor.hash) {
    say({
      where: 'anchors',
      record: `anchor ${anchor.n}`,
      what: `the signed ${where} names another one, or it is missing`,
    });
  }
  for (const spec of manifest?.specs ?? []) {
    const row = specs.get(spec.digest);
    if (row && (row.cluster !== spec.cluster || row.createdAt !== spec.createdAt)) {
      say({
        where: 'specs',
        record: spec.digest,
        what: `the signed ${where} says otherwise whose it is, or since when`,
      });
    }
  }
  const row = operations.get(chain);
  if (status !== undefined && row !== undefined && sealedFacts(parsed(status)) !== row) {
    say({
      where: 'operations',
      record: `operation ${operation} of ${cluster}`,
      what: `status.json in the signed ${where} says otherwise`,
    });
  }
}

/** Pieces without a bundle. A save that was cut off leaves the beginning of a file; anything else was made so. */
async function checkLoose(
  bundles: Store['bundles'],
  { id, pieces, last }: { id: string; pieces: number; last: number },
  say: Say,
  file: string,
): Promise<void> {
  const bad = (what: string) => say({ where: 'bundle_pieces', record: `bundle ${id}`, what });
  if (pieces !== last + 1) return bad(`it has ${pieces} pieces up to number ${last}, and nothing names it`);
  const digest = await written(bundles, id, file);
  if ('problem' in digest) return bad(digest.problem);
  const { problems, cluster, operation } = verifyBundle(file);
  if (problems.length === 0)
    bad(`it is whole, of operation ${operation} of ${cluster}, and its row in bundles is missing`);
}

/** Where a line of requests.jsonl stands. */
function placeOf(line: string): { chain: string; n: number; id: string } | null {
  const { chain, n, id } = parsed(line) as { chain?: unknown; n?: unknown; id?: unknown };
  return typeof chain === 'string' && typeof n === 'number' && typeof id === 'string' ? { chain, n, id } : null;
}

function parsed(text: string): Partial<StatusHead> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
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
async function written(
  bundles: Store['bundles'],
  id: string,
  file: string,
): Promise<{ sha256: string } | { problem: string }> {
  const hash = createHash('sha256');
  const descriptor = openSync(file, 'w', 0o600);
  try {
    for await (const piece of bundles.read(id)) {
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
