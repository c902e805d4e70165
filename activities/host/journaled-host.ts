import { createHash } from 'node:crypto';
import { KubewrightError } from '../../contracts/errors.ts';
import { CommandError, checkCode, evidenceTail } from './command-error.ts';
import type { HostLogger } from './credentials.ts';
import { journalWriteFailed } from './journal-write-failed.ts';
import type { KnownSecrets } from './known-secrets.ts';
import { withEnv } from './quote.ts';
import type { Redactor } from './redact.ts';
import { redactError } from './redact-error.ts';
import { shownChange } from './shown-change.ts';
import { scriptArgv, scriptInput, uploadAttributes } from './ssh-host.ts';
import type {
  CommandEnd,
  CommandObserver,
  CommandRecorder,
  CommandStart,
  Delivery,
  ExecOptions,
  ExecResult,
  RemoteHost,
  UploadOptions,
} from './types.ts';

export interface JournalOptions {
  recorder: CommandRecorder;
  /** SHA256:... of the host's key. */
  hostKeyFingerprint: string;
  secrets: KnownSecrets;
  logger?: HostLogger | undefined;
}

/**
 * Records every command before it starts and after it ends, and keeps secrets out of the records and out of every error:
 * message, evidence, and cause. Results go to the caller as they are.
 */
export class JournaledHost implements RemoteHost {
  readonly name: string;
  readonly #inner: RemoteHost;
  readonly #options: JournalOptions;

  constructor(inner: RemoteHost, options: JournalOptions) {
    this.name = inner.name;
    this.#inner = inner;
    this.#options = options;
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const redactor = this.#options.secrets.with(options.secrets);
    const { stdin, changes } = options;
    const start = { kind: 'exec' as const, argv: withEnv(argv, options.env), stdin, changes };
    return this.#journal(start, redactor, options.okCodes, argv, (observer) =>
      this.#inner.exec(argv, { ...options, okCodes: 'any', observer }),
    );
  }

  async script(
    text: string,
    args: readonly string[] = [],
    options: Omit<ExecOptions, 'stdin'> = {},
  ): Promise<ExecResult> {
    const redactor = this.#options.secrets.with(options.secrets);
    const argv = scriptArgv(args);
    const { changes } = options;
    const input = scriptInput(text);
    const start = { kind: 'script' as const, argv: withEnv(argv, options.env), stdin: input, changes };
    return this.#journal(start, redactor, options.okCodes, argv, (observer) =>
      this.#inner.script(text, args, { ...options, okCodes: 'any', observer }),
    );
  }

  async upload(path: string, content: string | Uint8Array, options: UploadOptions = {}): Promise<void> {
    const { mode, owner } = uploadAttributes(options);
    const argv = ['upload', path, mode, owner];
    await this.#journal(
      { kind: 'upload', argv, stdin: content, changes: options.changes },
      this.#options.secrets.with(options.secrets),
      [0],
      argv,
      async (observer) => {
        await this.#inner.upload(path, content, { ...options, observer });
        return { code: 0, stdout: '', stderr: '', durationMs: 0, truncated: false };
      },
    );
  }

  async #journal(
    start: Start,
    redactor: Redactor,
    okCodes: ExecOptions['okCodes'],
    argv: readonly string[],
    run: (observer: CommandObserver) => Promise<ExecResult>,
  ): Promise<ExecResult> {
    const { recorder, hostKeyFingerprint, logger } = this.#options;
    const { stdin, changes, ...what } = start;
    const open = await recorder.begin({
      ...what,
      host: this.name,
      hostKeyFingerprint,
      argv: start.argv.map((word) => redactor.text(word)),
      stdinSha256: stdin === undefined ? null : createHash('sha256').update(stdin).digest('hex'),
      stdinBytes: stdin === undefined ? 0 : Buffer.byteLength(stdin),
      ...(changes ? { changes: changes.map((change) => shownChange(change, redactor)) } : {}),
      startedAt: new Date(),
    });
    let delivery: Delivery | undefined;
    const observer: CommandObserver = {
      failed: (how) => {
        delivery = how;
      },
      // Its standard input is at most a password, which not even a digest may stand for.
      stopping: (stop, send) =>
        this.#journal(
          { kind: 'stop', ends: open.seq, argv: [...stop], stdin: undefined },
          redactor,
          [0],
          stop,
          (self) =>
            send().catch((error: unknown) => {
              self.failed(KubewrightError.is(error) && error.code === 'SSH_CONNECTION_LOST' ? 'unknown' : 'not-run');
              throw error;
            }),
        ),
    };
    let result: ExecResult;
    try {
      result = await run(observer);
      const evidence = () => redactedTail(redactor, result);
      result = checkCode(this.name, argv, result, okCodes, okCodes === 'any' ? '' : evidence());
    } catch (error) {
      const partial = error instanceof CommandError ? error.result : undefined;
      const shown = redactError(error, redactor, { host: this.name });
      try {
        await open.end({ ...endRecord(redactor, partial, shown.code), delivery });
      } catch (unwritten) {
        const why = redactError(unwritten, redactor);
        logger?.warn(
          { host: this.name, kind: start.kind, seq: open.seq, err: why },
          'the worker could not write the end of a command to the journal',
        );
        throw journalWriteFailed(shown, why);
      }
      throw shown;
    }
    await open.end(endRecord(redactor, result, null));
    return result;
  }
}

type Start = Pick<CommandStart, 'kind' | 'ends' | 'argv' | 'changes'> & { stdin: string | Uint8Array | undefined };

function endRecord(redactor: Redactor, result: ExecResult | undefined, error: CommandEnd['error']): CommandEnd {
  const mask = (text: string) => (result?.truncated ? redactor.cut(text) : redactor.text(text));
  const { stdout = '', stderr = '' } = result ?? {};
  return {
    endedAt: new Date(),
    code: result && result.code >= 0 ? result.code : null,
    signal: result?.signal ?? null,
    stdout: mask(stdout),
    stderr: mask(stderr),
    stdoutBytes: result?.stdoutBytes ?? Buffer.byteLength(stdout),
    stderrBytes: result?.stderrBytes ?? Buffer.byteLength(stderr),
    truncated: result?.truncated ?? false,
    error,
  };
}

/** Masked before it is cut, so that no half of a secret stays at the edge. */
function redactedTail(redactor: Redactor, result: ExecResult): string {
  const text = result.stderr.trim() === '' ? result.stdout : result.stderr;
  return evidenceTail(result.truncated ? redactor.cut(text) : redactor.text(text));
}
