import { Worker } from 'node:worker_threads';
import { type ErrorReport, KubewrightError } from '../../contracts/errors.ts';
import { type Parsed, type ParseJob, parseBytes } from './parse.ts';

/** What a thread answers. */
export type ParseAnswer = { parsed: Parsed } | { report: ErrorReport };

/** Larger bodies are parsed in a thread. JSON takes some 30 ns a byte, YAML a hundred times as long. */
const INLINE_BYTES = { json: 64 * 1024, yaml: 2 * 1024 };
/** Threads, and jobs that may wait for one: of all callers, and of one. */
const THREADS = 2;
const WAITING = 64;
const WAITING_PER_CALLER = 4;
/** A YAML spec of 1 MiB takes some 2 s on a machine that does nothing else. */
const TIME_MS = 20_000;
/** Heap of one thread: what a document of 100,000 values takes at most, and as much again. */
const HEAP_MB = 512;
/** A thread that had nothing to do for so long is ended, ms. */
const IDLE_MS = 30_000;

interface Waiting {
  job: ParseJob;
  caller: string;
  resolve: (parsed: Parsed) => void;
  reject: (error: Error) => void;
}

/** Parses bodies; large ones beside the event loop, with a limit of time and memory. */
export class ParsePool {
  readonly #waiting: Waiting[] = [];
  readonly #threads = new Set<Thread>();
  readonly #perCaller = new Map<string, number>();
  #closed = false;

  /**
   * Parse a body. `caller` is who has to wait when there is too much: the token's id. Throws SPEC_MALFORMED,
   * DOCUMENT_TOO_COMPLEX (time and memory included), RATE_LIMITED.
   */
  async parse(job: ParseJob, caller: string): Promise<Parsed> {
    const inline = /\bjson\b/.test(job.type) ? INLINE_BYTES.json : INLINE_BYTES.yaml;
    if (job.bytes.length <= inline) return parseBytes(job);
    const own = this.#perCaller.get(caller) ?? 0;
    if (own >= WAITING_PER_CALLER || this.#waiting.length >= WAITING) {
      throw new KubewrightError('RATE_LIMITED', 'too many large bodies are waiting to be parsed');
    }
    this.#perCaller.set(caller, own + 1);
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.push({ job, caller, resolve, reject });
        this.#next();
      });
    } finally {
      const left = (this.#perCaller.get(caller) ?? 1) - 1;
      if (left === 0) this.#perCaller.delete(caller);
      else this.#perCaller.set(caller, left);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('the API is closing'));
    await Promise.all([...this.#threads].map((thread) => thread.end()));
  }

  /** Gives waiting jobs to free threads, and makes threads while there may be more. */
  #next(): void {
    for (;;) {
      if (this.#closed || this.#waiting.length === 0) return;
      let thread = [...this.#threads].find((each) => each.free);
      if (!thread) {
        if (this.#threads.size >= THREADS) return;
        thread = new Thread(() => this.#threads.delete(thread!));
        this.#threads.add(thread);
      }
      const { job, resolve, reject } = this.#waiting.shift()!;
      thread
        .run(job)
        .then(resolve, reject)
        .finally(() => this.#next());
    }
  }
}

/** One thread and the job that it has. */
class Thread {
  readonly #worker = new Worker(new URL('./parse-thread.ts', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 64, stackSizeMb: 4 },
    // Options of our process, such as a debugger's port, are not for it.
    execArgv: [],
    env: {},
  });
  readonly #gone: () => void;
  #idle: NodeJS.Timeout | undefined;
  free = true;

  constructor(gone: () => void) {
    this.#gone = gone;
    this.#worker.unref();
    // Of a thread that runs no job; a job's own listeners say more.
    this.#worker.on('error', gone).on('exit', gone);
  }

  run(job: ParseJob): Promise<Parsed> {
    this.free = false;
    clearTimeout(this.#idle);
    return new Promise((resolve, reject) => {
      const give = (settle: () => void, reusable: boolean): void => {
        clearTimeout(timer);
        this.#worker.removeAllListeners('message').off('error', onError).off('exit', onExit).unref();
        if (reusable) {
          this.free = true;
          this.#idle = setTimeout(() => void this.end(), IDLE_MS).unref();
        } else {
          void this.end();
        }
        settle();
      };
      const refuse = (why: string, cause?: unknown): void =>
        give(() => reject(new KubewrightError('DOCUMENT_TOO_COMPLEX', why, { cause })), false);
      const onError = (error: NodeJS.ErrnoException): void => {
        if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') refuse('the document takes too much memory to parse', error);
        else give(() => reject(error), false);
      };
      const onExit = (): void => give(() => reject(new Error('the parser ended without an answer')), false);
      const timer = setTimeout(
        () => refuse(`the document takes longer than ${TIME_MS / 1000} s to parse`),
        TIME_MS,
      ).unref();
      this.#worker
        .once('message', (answer: ParseAnswer) =>
          give(() => ('parsed' in answer ? resolve(answer.parsed) : reject(KubewrightError.from(answer.report))), true),
        )
        .once('error', onError)
        .once('exit', onExit)
        .ref();
      this.#worker.postMessage(job);
    });
  }

  async end(): Promise<void> {
    this.free = false;
    clearTimeout(this.#idle);
    this.#gone();
    await this.#worker.terminate();
  }
}
