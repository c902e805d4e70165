import { randomBytes } from 'node:crypto';
import { KubewrightError } from '../../contracts/errors.ts';
import { checkCode } from './command-error.ts';
import { claim, type Fence, joinedClaim, NOT_JOINED } from './fence.ts';
import { FOREIGN, foreign } from './ownership.ts';
import type { Ownership } from './ownership-marker.ts';
import { scriptArgv } from './ssh-host.ts';
import type { ExecOptions, ExecResult, RemoteHost, UploadOptions } from './types.ts';

/** Default time of a command (types.ts), and what a script gets on top for taking the scope: its lock is waited for. ms. */
const TIMEOUT_MS = 60_000;
const CLAIM_MS = 30_000;

export interface Claiming {
  fence: Fence;
  owner: Ownership | null;
  /** The host without a fence, outside the limit of channels: a claim must not queue behind what it is there to end. */
  unqueued: RemoteHost;
  /** The host whose commands run only while the fence is held. */
  fenced: RemoteHost;
}

/**
 * A host of which a scope is taken with the first command as root. When that is a script, both are one round trip and one
 * command of the journal. In any other case, and when something of an older holder still runs there, `claim` is a command
 * of its own before it. Commands that are asked for meanwhile wait until the scope is held. Methods throw what `claim`
 * throws, and what those of `fenced` throw; after a failed claim the next command claims again.
 */
export class ClaimingHost implements RemoteHost {
  readonly name: string;
  readonly #options: Claiming;
  /** The script that takes the scope, while it runs. Never rejects. */
  #joining: Promise<void> | null = null;
  #claimed: Promise<void> | null = null;

  constructor(options: Claiming) {
    this.name = options.fenced.name;
    this.#options = options;
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    // Another user can change nothing: such a command passes no fence either.
    if (options.sudo !== false) await this.#ensureClaimed();
    return this.#options.fenced.exec(argv, options);
  }

  async upload(path: string, content: string | Uint8Array, options?: UploadOptions): Promise<void> {
    await this.#ensureClaimed();
    return this.#options.fenced.upload(path, content, options);
  }

  async script(
    text: string,
    args: readonly string[] = [],
    options: Omit<ExecOptions, 'stdin'> = {},
  ): Promise<ExecResult> {
    if (options.sudo !== false) {
      if (this.#joining === null && this.#claimed === null) {
        const joined = this.#join(text, args, options);
        this.#joining = joined.then(
          () => undefined,
          () => undefined,
        );
        const result = await joined;
        if (result) return result;
      }
      await this.#ensureClaimed();
    }
    return this.#options.fenced.script(text, args, options);
  }

  async #ensureClaimed(): Promise<void> {
    await this.#joining;
    if (this.#claimed === null) {
      const { unqueued, fence, owner } = this.#options;
      this.#claimed = claim(unqueued, fence, owner);
      this.#claimed.catch(() => {
        this.#claimed = null;
      });
    }
    await this.#claimed;
  }

  /** The script's result; null when it has not run and the scope has to be claimed by itself. */
  async #join(text: string, args: readonly string[], options: Omit<ExecOptions, 'stdin'>): Promise<ExecResult | null> {
    const { unqueued, fence, owner } = this.#options;
    const nonce = `kw-${randomBytes(9).toString('hex')}\n`;
    const joined = joinedClaim(fence, owner, { nonce: nonce.trimEnd(), text, args });
    const { okCodes = [0], timeoutMs = TIMEOUT_MS } = options;
    const result = await unqueued
      .script(joined.text, joined.args, {
        ...options,
        okCodes: okCodes === 'any' ? 'any' : [...okCodes, FOREIGN, NOT_JOINED],
        timeoutMs: timeoutMs + CLAIM_MS,
      })
      .catch((error: unknown) => {
        throw withoutNonce(error, nonce);
      });
    const at = result.stdout.indexOf(nonce);
    if (at >= 0) {
      this.#claimed = Promise.resolve();
      const own = { ...result, stdout: result.stdout.slice(at + nonce.length) };
      return checkCode(this.name, scriptArgv(args), own, okCodes);
    }
    if (result.code === FOREIGN && owner) throw foreign(this.name, owner, result.stdout);
    return null;
  }
}

/** The mark is ours: evidence is shown without it. */
function withoutNonce(error: unknown, nonce: string): unknown {
  if (!KubewrightError.is(error) || !error.evidence?.includes(nonce)) return error;
  const evidence = error.evidence.slice(error.evidence.indexOf(nonce) + nonce.length);
  return new KubewrightError(error.code, error.message, { ...error.report(), evidence, cause: error.cause });
}
