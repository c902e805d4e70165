import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { KubewrightError } from '../contracts/errors.ts';
import { canonicalJson, sha256 } from '../store/canonical.ts';
import type { Store } from '../store/index.ts';
import { chainOf } from '../store/journal-record.ts';
import { anchorHash } from './anchor.ts';
import { FORMAT, historyPart, type Manifest, outputPart, PARTS, README, specPart } from './manifest.ts';
import type { Signer } from './signing-key.ts';
import { padding, tarEnd, tarHeader } from './tar.ts';

/** A workflow's history as proto-JSON text. */
export interface WorkflowHistory {
  workflowId: string;
  runId: string;
  json: string;
}

export interface BundleSource {
  store: Pick<Store, 'chains' | 'anchors' | 'journal' | 'blobs' | 'specs' | 'projections'>;
  signer: Signer;
  /** A folder of ours for what is too large for memory. */
  spool: string;
}

interface Part {
  name: string;
  size: number;
  sha256: string;
  content(): AsyncIterable<Uint8Array>;
}

/** Links and records read at once. */
const PAGE = 500;

/**
 * The bundle of an operation that is over, as the bytes of a tar. `plan` is canonical JSON, null when it is not known.
 * Throws NOT_FOUND when nothing of it is in the journal, STORE_FAILED when an output is missing.
 */
export async function* makeBundle(
  { store, signer, spool }: BundleSource,
  { cluster, operation }: { cluster: string; operation: string },
  histories: AsyncIterable<WorkflowHistory>,
  planOf: () => string | null,
): AsyncGenerator<Uint8Array> {
  mkdirSync(spool, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(spool, 'bundle-'));
  try {
    const id = chainOf({ cluster, operation });
    const parts: Part[] = [textPart(PARTS.readme, README)];
    // Before anything is read: whatever is in the bundle was written before, or is beyond these heads.
    const anchored = await anchoredHeads(store, cluster);
    const chain = await chainPart(store, id, folder);
    if (chain.links === 0) throw new KubewrightError('NOT_FOUND', `nothing of the operation ${operation} is recorded`);

    const sealed: Part[] = [];
    let index = 0;
    for await (const { json } of histories) {
      sealed.push(await spooled(historyPart(index), join(folder, `history-${index}`), [json]));
      index += 1;
    }
    const status = await store.projections.operation(cluster, operation);
    const plan = planOf();
    const specs = new Set([...chain.specs, ...(status ? [status.specRef] : [])]);
    const about: NonNullable<Manifest['specs']> = [];
    for (const digest of [...specs].sort()) {
      parts.push(textPart(specPart(digest), canonicalJson(await store.specs.get(digest))));
      const { cluster: of, createdAt } = (await store.specs.about(digest))!;
      about.push({ digest, cluster: of, createdAt });
    }
    if (plan !== null) parts.push(textPart(PARTS.plan, plan));
    if (status) parts.push(textPart(PARTS.status, canonicalJson(status)));
    const requests = await requestsPart(store, cluster, operation, folder);
    parts.push(chain.part, requests.part);
    parts.push(...(await outputParts(store, [...new Set([...chain.outputs, ...requests.outputs])].sort())));
    parts.push(...sealed);
    parts.push(textPart(PARTS.sums, parts.map(({ name, sha256: sum }) => `${sum}  ${name}\n`).join('')));

    const manifest: Manifest = {
      format: FORMAT,
      cluster,
      operation,
      createdAt: new Date().toISOString(),
      chain: { id, links: chain.links, head: chain.head },
      ...anchored,
      specs: about,
      key: signer.fingerprint,
      parts: [textPart(PARTS.publicKey, signer.publicKey), ...parts].map(({ name, size, sha256: sum }) => ({
        name,
        size,
        sha256: sum,
      })),
    };
    const text = Buffer.from(`${canonicalJson(manifest)}\n`);
    yield* tar([
      bytesPart(PARTS.manifest, text),
      bytesPart(PARTS.signature, signer.sign(text)),
      textPart(PARTS.publicKey, signer.publicKey),
      ...parts,
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The newest anchor, and the heads of the chains that are not the operation's own: the bundle's signature holds them. */
async function anchoredHeads(
  store: BundleSource['store'],
  cluster: string,
): Promise<Pick<Manifest, 'heads' | 'anchor'>> {
  const last = await store.anchors.last();
  const heads: NonNullable<Manifest['heads']> = [];
  for (const chain of [chainOf({ cluster }), chainOf({ cluster: '' })]) {
    const head = await store.journal.head(chain);
    if (head && head.n > 0) heads.push({ chain, ...head });
  }
  return { heads, ...(last ? { anchor: { n: last.n, hash: anchorHash(last.entry) } } : {}) };
}

async function* tar(parts: readonly Part[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    const { name, size } = part;
    yield tarHeader(name, size);
    yield* part.content();
    if (padding(size) > 0) yield Buffer.alloc(padding(size));
  }
  yield tarEnd();
}

async function chainPart(store: BundleSource['store'], id: string, folder: string) {
  const outputs = new Set<string>();
  const specs = new Set<string>();
  let links = 0;
  let head = '';
  async function* lines(): AsyncGenerator<string> {
    for (;;) {
      const page = await store.chains.lines(id, links, PAGE);
      for (const { hash, line, record, outputs: named } of page) {
        if (line === null) throw new KubewrightError('STORE_FAILED', `the record ${record} is missing in the journal`);
        yield `${hash} ${line}\n`;
        for (const digest of named) outputs.add(digest);
        const opened = /"argv":\["open","[a-z-]+","[a-z]+","([0-9a-f]{64})"\]/.exec(line);
        if (opened) specs.add(opened[1]!);
        head = hash;
        links += 1;
      }
      if (page.length < PAGE) return;
    }
  }
  const part = await spooled(PARTS.chain, join(folder, 'chain'), lines());
  return { part, links, head, outputs, specs };
}

/** Requests that started the operation, and those that acted on it. */
async function requestsPart(store: BundleSource['store'], cluster: string, operation: string, folder: string) {
  const own = chainOf({ cluster, operation });
  const outputs = new Set<string>();
  async function* lines(): AsyncGenerator<string> {
    for (const kind of ['request', 'decision'] as const) {
      for (let cursor: string | undefined; ; ) {
        const { items, next } = await store.journal.list({ cluster, operation, kind, limit: PAGE, cursor });
        for (const each of await store.chains.linesOf(items.map((item) => item.id))) {
          // What the policy decided is a link of the operation's own chain.
          if (each.chain === own) continue;
          if (each.line !== null) yield `${each.hash} ${each.line}\n`;
          for (const digest of each.outputs) outputs.add(digest);
        }
        if (next === null) break;
        cursor = next;
      }
    }
  }
  return { part: await spooled(PARTS.requests, join(folder, 'requests'), lines()), outputs };
}

async function outputParts(store: BundleSource['store'], digests: readonly string[]): Promise<Part[]> {
  const parts: Part[] = [];
  for (let from = 0; from < digests.length; from += PAGE) {
    const page = digests.slice(from, from + PAGE);
    const sizes = await store.blobs.sizes(page);
    for (const digest of page) {
      const size = sizes.get(digest);
      if (size === undefined) throw new KubewrightError('STORE_FAILED', `the output ${digest} is missing`);
      const content = async function* () {
        const text = Buffer.from((await store.blobs.get(digest)) ?? '');
        if (text.length !== size || sha256(text) !== digest) {
          throw new KubewrightError('STORE_FAILED', `the output ${digest} was changed`);
        }
        yield text;
      };
      parts.push({ name: outputPart(digest), size, sha256: digest, content });
    }
  }
  return parts;
}

function bytesPart(name: string, bytes: Uint8Array): Part {
  const content = async function* () {
    yield bytes;
  };
  return { name, size: bytes.length, sha256: sha256(bytes), content };
}

const textPart = (name: string, text: string): Part => bytesPart(name, Buffer.from(text));

/** A part whose size is not known before it is written. */
async function spooled(name: string, file: string, pieces: Iterable<string> | AsyncIterable<string>): Promise<Part> {
  const hash = createHash('sha256');
  let size = 0;
  const out = createWriteStream(file, { mode: 0o600 });
  const done = finished(out);
  try {
    for await (const piece of pieces) {
      const bytes = Buffer.from(piece);
      hash.update(bytes);
      size += bytes.length;
      if (!out.write(bytes)) await Promise.race([new Promise<void>((resolve) => out.once('drain', resolve)), done]);
    }
  } finally {
    out.end();
    await done;
  }
  return { name, size, sha256: hash.digest('hex'), content: () => createReadStream(file) };
}
