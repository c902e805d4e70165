import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SourceUnavailable } from '../types.ts';

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

/** How one run reaches the open network. */
export interface Web {
  readonly gate: HostGate;
  readonly fetcher: typeof fetch;
}

/** The ordinary way: Node's fetch and a fresh gate. */
export function openWeb(fetcher: typeof fetch = fetch): Web {
  return { gate: new HostGate(), fetcher };
}

/** Streams `url` into `path` and returns its sha256, hex. */
export async function download(
  web: Web,
  url: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<string> {
  const abort = new AbortController();
  const response = await open(web, url, { abort, headers });
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

/**
 * Asks for `url` and returns once headers are there; `pass` lists statuses beside 2xx that the caller handles. Throws
 * SourceUnavailable, and closes the host unless the answer only says that this file is not there.
 */
export async function open(
  { gate, fetcher }: Web,
  url: string,
  options: { abort?: AbortController; headers?: Record<string, string>; pass?: readonly number[] } = {},
): Promise<Response> {
  gate.check(url);
  const abort = options.abort ?? new AbortController();
  const timer = setTimeout(() => abort.abort(new Error(`no answer within ${FIRST_ANSWER_MS} ms`)), FIRST_ANSWER_MS);
  try {
    const response = await fetcher(url, { signal: abort.signal, redirect: 'follow', headers: options.headers ?? {} });
    if (response.ok || options.pass?.includes(response.status)) return response;
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
