import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ArtifactFile } from '../../../activities/artifacts/catalogue.ts';
import { type Source, SourceUnavailable, type SuppliedFile } from '../types.ts';

/** A host that has not answered by then is taken for unreachable: closed networks often swallow packets. */
const FIRST_ANSWER_MS = 3_000;
/** A download that stalls for that long is given up. */
const STALL_MS = 30_000;

/** What one run has learnt about hosts: the first refusal closes a host for the rest of the run. */
export class HostGate {
  readonly #closed = new Map<string, string>();

  /** Throws SourceUnavailable when the host of `url` is closed. */
  check(url: string): void {
    const why = this.#closed.get(new URL(url).host);
    if (why !== undefined) throw new SourceUnavailable(`${new URL(url).host} is not reachable (${why})`);
  }

  close(url: string, why: string): void {
    this.#closed.set(new URL(url).host, why);
  }
}

/** The official release files. Each must match its published sum; a project that publishes none is left to the next source. */
export function releaseSource(files: readonly ArtifactFile[], gate: HostGate, fetcher: typeof fetch = fetch): Source {
  return {
    name: 'release',
    async supply({ workDir, tell }) {
      const unsigned = files.find((file) => file.digest.kind === 'unpublished');
      if (unsigned) throw new SourceUnavailable(`${unsigned.artifact} ${unsigned.version} has no published checksum`);
      const supplied: SuppliedFile[] = [];
      for (const [index, file] of files.entries()) {
        gate.check(file.url);
        tell('download', { source: file.url });
        const expected = await publishedSum(file, gate, fetcher);
        const path = join(workDir, `${index}`);
        const actual = await download(file.url, path, gate, fetcher);
        if (actual !== expected) {
          throw new SourceUnavailable(`${file.url} has sha256 ${actual}, but ${expected} was published: refused`, {
            loud: true,
          });
        }
        supplied.push({ mirrorPath: file.mirrorPath, path, origin: 'release', source: file.url });
      }
      return supplied;
    },
  };
}

async function publishedSum(file: ArtifactFile, gate: HostGate, fetcher: typeof fetch): Promise<string> {
  if (file.digest.kind === 'known') return file.digest.sha256;
  if (file.digest.kind === 'unpublished') throw new SourceUnavailable(`${file.url} has no published checksum`);
  const { url } = file.digest;
  const response = await open(url, gate, fetcher, new AbortController());
  const sum = /\b[0-9a-f]{64}\b/.exec((await response.text()).slice(0, 4096))?.[0];
  if (sum === undefined) throw new SourceUnavailable(`${url} holds no sha256`, { loud: true });
  return sum;
}

/** Streams `url` into `path` and returns its sha256. */
async function download(url: string, path: string, gate: HostGate, fetcher: typeof fetch): Promise<string> {
  const abort = new AbortController();
  const response = await open(url, gate, fetcher, abort);
  if (response.body === null) throw new SourceUnavailable(`${url}: empty answer`);
  const hash = createHash('sha256');
  const stall = setTimeout(() => abort.abort(new Error(`no data for ${STALL_MS} ms`)), STALL_MS);
  const watch = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      stall.refresh();
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await pipeline(
      Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
      watch,
      createWriteStream(path),
    );
  } catch (cause) {
    throw new SourceUnavailable(`${url}: the download broke off`, { cause, loud: true });
  } finally {
    clearTimeout(stall);
  }
  return hash.digest('hex');
}

async function open(url: string, gate: HostGate, fetcher: typeof fetch, abort: AbortController): Promise<Response> {
  gate.check(url);
  const timer = setTimeout(() => abort.abort(new Error(`no answer within ${FIRST_ANSWER_MS} ms`)), FIRST_ANSWER_MS);
  try {
    const response = await fetcher(url, { signal: abort.signal, redirect: 'follow' });
    if (response.ok) return response;
    await response.body?.cancel();
    // 404 says something about this file; anything else says something about the way to this host.
    if (response.status !== 404) gate.close(url, `HTTP ${response.status}`);
    throw new SourceUnavailable(`${url}: HTTP ${response.status}`);
  } catch (cause) {
    if (cause instanceof SourceUnavailable) throw cause;
    gate.close(url, cause instanceof Error ? cause.message : String(cause));
    throw new SourceUnavailable(`${url}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}
