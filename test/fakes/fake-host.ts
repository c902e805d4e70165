import { checkCode } from '../../activities/host/command-error.ts';
import type { ExecOptions, ExecResult, RemoteHost, UploadOptions } from '../../activities/host/types.ts';

/** What a FakeHost was asked to do. */
export interface FakeCommand {
  kind: 'exec' | 'script' | 'upload';
  /** exec: the argv. script: its arguments. upload: the path. */
  argv: readonly string[];
  /** What matchers see. exec: argv joined by blanks. script: its text. upload: `upload <path>`. */
  text: string;
  /** exec: standard input. upload: the content. */
  stdin: string | Uint8Array | undefined;
  options: ExecOptions & UploadOptions;
}

/** A text matches when it is the whole text of an exec or an upload, or a part of a script. */
export type FakeMatcher = string | RegExp | ((command: FakeCommand) => boolean);
/** Standard output, a result in parts (code 0 and empty output by default), or an error to throw. */
export type FakeReply = string | Partial<ExecResult> | Error;
export type FakeAnswer = FakeReply | ((command: FakeCommand) => FakeReply | Promise<FakeReply>);

/**
 * A strict host for unit tests: gives prepared answers, records everything, and fails on anything else.
 * Codes are judged as on a real host (COMMAND_FAILED unless listed in okCodes).
 */
export class FakeHost implements RemoteHost {
  readonly name: string;
  readonly commands: FakeCommand[] = [];
  /** Commands without a prepared answer: also thrown, but code under test may catch that. See `verify`. */
  readonly unmatched: FakeCommand[] = [];
  /** Path to the last content uploaded there. */
  readonly files = new Map<string, string>();
  readonly #rules: { match: FakeMatcher; answer: FakeAnswer; left: number; used: boolean; optional: boolean }[] = [];

  constructor(name = 'fake-1') {
    this.name = name;
  }

  /** Answer every matching command. Later rules win over earlier ones. */
  on(match: FakeMatcher, answer: FakeAnswer = '', options: { optional?: boolean } = {}): this {
    this.#rules.unshift({
      match,
      answer,
      left: Number.POSITIVE_INFINITY,
      used: false,
      optional: options.optional ?? false,
    });
    return this;
  }

  /** Answer the next matching command only. Several of them answer in the order in which they were given. */
  once(match: FakeMatcher, answer: FakeAnswer = ''): this {
    const at = this.#rules.findIndex((rule) => rule.left === Number.POSITIVE_INFINITY);
    this.#rules.splice(at < 0 ? this.#rules.length : at, 0, { match, answer, left: 1, used: false, optional: false });
    return this;
  }

  /** Accept uploads to this path, or to any. The contents are in `files`. */
  acceptUploads(path?: string | RegExp): this {
    const matches = (command: FakeCommand) => {
      if (command.kind !== 'upload') return false;
      const [target = ''] = command.argv;
      return path === undefined || (typeof path === 'string' ? target === path : path.test(target));
    };
    return this.on(matches, '', { optional: true });
  }

  /** Throws when a command was not expected, or an expected one never came. Call at the end of a test. */
  verify(): void {
    const strange = this.unmatched.map((command) => `unexpected: ${describe(command)}`);
    const missing = this.#rules
      .filter((rule) => !rule.used && !rule.optional)
      .map((rule) => `never asked for: ${String(rule.match)}`);
    if (strange.length + missing.length > 0) throw new Error([...strange, ...missing].join('\n'));
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const command: FakeCommand = { kind: 'exec', argv, text: argv.join(' '), stdin: options.stdin, options };
    return checkCode(this.name, argv, await this.#answer(command), options.okCodes);
  }

  async script(
    text: string,
    args: readonly string[] = [],
    options: Omit<ExecOptions, 'stdin'> = {},
  ): Promise<ExecResult> {
    const command: FakeCommand = { kind: 'script', argv: args, text, stdin: undefined, options };
    return checkCode(this.name, ['sh', '-eu', '-s'], await this.#answer(command), options.okCodes);
  }

  async upload(path: string, content: string | Uint8Array, options: UploadOptions = {}): Promise<void> {
    const command: FakeCommand = { kind: 'upload', argv: [path], text: `upload ${path}`, stdin: content, options };
    checkCode(this.name, ['upload'], await this.#answer(command));
    this.files.set(path, typeof content === 'string' ? content : Buffer.from(content).toString('utf8'));
  }

  async #answer(command: FakeCommand): Promise<ExecResult> {
    this.commands.push(command);
    const rule = this.#rules.find((each) => each.left > 0 && matches(each.match, command));
    if (!rule) {
      this.unmatched.push(command);
      throw new Error(`FakeHost ${this.name}: no answer for ${describe(command)}`);
    }
    rule.left -= 1;
    rule.used = true;
    const reply = typeof rule.answer === 'function' ? await rule.answer(command) : rule.answer;
    if (reply instanceof Error) throw reply;
    const parts = typeof reply === 'string' ? { stdout: reply } : reply;
    return { code: 0, stdout: '', stderr: '', durationMs: 1, truncated: false, ...parts };
  }
}

function matches(matcher: FakeMatcher, command: FakeCommand): boolean {
  if (typeof matcher === 'function') return matcher(command);
  if (matcher instanceof RegExp) return matcher.test(command.text);
  return command.kind === 'script' ? command.text.includes(matcher) : command.text === matcher;
}

function describe(command: FakeCommand): string {
  return `${command.kind}: ${command.text.slice(0, 500)} ${command.kind === 'script' ? command.argv.join(' ') : ''}`;
}

/** Answers a probe of the resource engine as a bare host does: `absent` for every resource, no stamp of a verification. */
export function nothingThere(command: FakeCommand): string {
  const marker = /^M=(\S+)$/m.exec(command.text)?.[1];
  if (marker === undefined) return '';
  const fragments = command.text.match(/^printf '%s> %s/gm)?.length ?? 0;
  return Array.from(
    { length: fragments },
    (_, at) => `${marker}> ${at}\n${at === 0 ? '' : 'absent\n'}\n${marker}< ${at}\n`,
  ).join('');
}
