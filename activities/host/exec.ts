import { constants } from 'node:os';
import type { ClientChannel } from 'ssh2';
import type { ErrorCode } from '../../contracts/errors.ts';
import { CommandError, commandName, evidenceTail } from './command-error.ts';
import { commandLine, type Elevation, endLine, type RemoteProcess } from './command-line.ts';
import type { SshConnection } from './connection.ts';
import { type Fence, fenced } from './fence.ts';
import { notStartedBecause } from './not-started.ts';
import { OutputSink } from './output.ts';
import { ReportLine, StderrStart } from './report-line.ts';
import type { CommandObserver, ExecResult } from './types.ts';

/** How long a stopped command's end is waited for, ms: TERM, 0.7 s, KILL, and the round trips. */
const STOP_MS = 5_000;
/** How long a stopped command may still take to report its process group while the caller waits, ms; and without him. */
const REPORT_MS = 1_000;
const LATE_REPORT_MS = 60_000;
/** After the exit status, silence this long means that a left-behind process holds the output open, ms. */
const LINGER_MS = 3_000;

/** One command, ready to run: no defaults left. */
export interface Command {
  host: string;
  argv: readonly string[];
  elevation: Elevation;
  /** Must be held for the command to run. */
  fence: Fence | undefined;
  stdin: string | Uint8Array | undefined;
  timeoutMs: number;
  maxOutputBytes: number;
  signal: AbortSignal;
  /** Of what is run to end it. */
  observer: Pick<CommandObserver, 'stopping'>;
}

/** A line that ends a command, with its standard input. Every run of it goes through `observed`. */
export interface KillCommand {
  line: string;
  stdin: string;
  observed(send: () => Promise<ExecResult>): Promise<unknown>;
}

/** What a running command needs when it has to be ended. */
export interface CommandKillers {
  /** Runs the line now: on the same connection, or on a new one when that has no channel left. */
  now(end: KillCommand): Promise<void>;
  /** Has the line run as soon as there is a connection again, before any other command. */
  onReconnect(end: KillCommand): void;
}

/**
 * Run one command on one channel and wait for its end. Any exit code is a result here. Throws COMMAND_TIMEOUT and
 * COMMAND_ABORTED after the remote processes were ended, SSH_CONNECTION_LOST when it is unknown how the command ended,
 * SUDO_REFUSED, HOST_BUSY or FENCE_LOST when it never began, and ChannelOpenError when nothing was sent.
 */
export async function runCommand(
  connection: SshConnection,
  command: Command,
  killers: CommandKillers,
): Promise<ExecResult> {
  if (command.signal.aborted) throw notStarted(command, 'COMMAND_ABORTED');
  const { line, nonce, stdinPrefix } = commandLine(command.argv, command.elevation, command.fence);
  // What the first session of a connection takes to start is part of the login, not of the command.
  const { startMs } = connection;
  const countsFrom = performance.now() + startMs;
  let running: Running | undefined;
  let given: 'COMMAND_TIMEOUT' | 'COMMAND_ABORTED' | null = null;
  const opening = connection.exec(line, (channel) => {
    running = new Running(connection, command, { channel, nonce, stdinPrefix }, killers);
    // Its caller no longer waits for it, but it has begun.
    if (given) void running.stop(given);
  });
  const stopped = await openedWithin(opening, command, startMs);
  if (running) return running.result(command.timeoutMs - Math.max(0, performance.now() - countsFrom));
  given = stopped ?? 'COMMAND_ABORTED';
  throw notStarted(command, given);
}

/**
 * Null when it was opened. The wait for a channel counts as the command's time: a host may never answer. A stop is not
 * obeyed at once, for the request is on its way already: better to see the command begin and end it.
 */
async function openedWithin(
  opening: Promise<void>,
  { signal, timeoutMs }: Command,
  startMs: number,
): Promise<'COMMAND_TIMEOUT' | 'COMMAND_ABORTED' | null> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort = () => {};
  const stopped = new Promise<'COMMAND_TIMEOUT' | 'COMMAND_ABORTED'>((resolve) => {
    timer = setTimeout(() => resolve('COMMAND_TIMEOUT'), timeoutMs + startMs);
    onAbort = () => resolve('COMMAND_ABORTED');
    signal.addEventListener('abort', onAbort, { once: true });
  });
  const opened = opening.then(() => null);
  opened.catch(() => {});
  try {
    const first = await Promise.race([opened, stopped]);
    if (first) await within(REPORT_MS, opened);
    return first;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** The state of one running command. */
class Running {
  readonly #connection: SshConnection;
  readonly #command: Command;
  readonly #channel: ClientChannel;
  readonly #killers: CommandKillers;
  readonly #started = performance.now();
  readonly #stdout: OutputSink;
  readonly #stderr: OutputSink;
  readonly #stderrStart: StderrStart;
  readonly #report: ReportLine;
  #exit: { code: number | null; signal: string | null } | null = null;
  #stopping: ErrorCode | null = null;
  /** What ends the remote processes, while that runs. */
  #ending: Promise<void> | undefined;
  /** Why they could not be ended. */
  #survives = '';
  #linger: NodeJS.Timeout | undefined;
  #settle: () => void = () => {};
  readonly #settled: Promise<void>;
  #end: () => void = () => {};
  readonly #closed: Promise<void>;

  constructor(
    connection: SshConnection,
    command: Command,
    { channel, nonce, stdinPrefix }: { channel: ClientChannel; nonce: string; stdinPrefix: string },
    killers: CommandKillers,
  ) {
    this.#connection = connection;
    this.#command = command;
    this.#channel = channel;
    this.#killers = killers;
    this.#stdout = new OutputSink(command.maxOutputBytes);
    this.#stderr = new OutputSink(command.maxOutputBytes);
    this.#stderrStart = new StderrStart(nonce, (chunk) => this.#stderr.push(chunk));
    this.#report = new ReportLine(nonce, (chunk) => this.#stdout.push(chunk));
    this.#settled = new Promise<void>((resolve) => {
      this.#settle = resolve;
    });
    this.#closed = new Promise<void>((resolve) => {
      this.#end = () => {
        resolve();
        this.#settle();
      };
    });
    this.#listen();
    this.#write(stdinPrefix);
  }

  /** Waits for the end, at most so long. */
  async result(timeoutMs: number): Promise<ExecResult> {
    const { signal } = this.#command;
    const timer = setTimeout(() => void this.stop('COMMAND_TIMEOUT'), timeoutMs);
    const onAbort = () => void this.stop('COMMAND_ABORTED');
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await this.#settled;
      // Gone already, perhaps; but what ended it is a process as well, and nothing may run when this returns.
      await this.#ending;
    } finally {
      clearTimeout(timer);
      clearTimeout(this.#linger);
      signal.removeEventListener('abort', onAbort);
    }
    return this.#outcome();
  }

  #listen(): void {
    // Flowing from the first byte to the last: nothing is ever paused, so nothing piles up, and `close` comes.
    this.#channel.on('data', (chunk: Buffer) => {
      this.#report.push(chunk);
      this.#linger?.refresh();
    });
    this.#channel.stderr.on('data', (chunk: Buffer) => {
      this.#stderrStart.push(chunk);
      this.#linger?.refresh();
    });
    this.#channel.on('error', () => {});
    this.#channel.stderr.on('error', () => {});
    this.#channel.on('exit', (code: number | null, signal?: string) => {
      this.#exit = { code, signal: signalName(signal) };
      this.#linger = setTimeout(() => {
        this.#channel.close();
        this.#settle();
      }, LINGER_MS);
    });
    this.#channel.on('close', () => this.#end());
  }

  #write(prefix: string): void {
    const { stdin } = this.#command;
    if (prefix !== '') this.#channel.write(prefix);
    if (stdin === undefined || stdin.length === 0) this.#channel.end();
    else this.#channel.end(typeof stdin === 'string' ? Buffer.from(stdin, 'utf8') : Buffer.from(stdin));
  }

  /** End the remote processes, then the channel, then the wait. Never rejects. */
  async stop(code: ErrorCode): Promise<void> {
    if (this.#stopping) return;
    if (!this.#exit) {
      this.#stopping = code;
      await this.#reported(REPORT_MS);
      if (!this.#report.process) {
        // It still waits for sudo or a start-up file. (Closing the channel would not keep it from starting, and ssh2's
        // channel.signal() is mute once standard input was closed.) The caller need not wait for that.
        this.#settle();
        await this.#reported(LATE_REPORT_MS);
      }
      const target = this.#report.process;
      if (target && !this.#connection.lostBecause) {
        const ending = this.#killers.now(this.#killCommand(target)).catch((error: unknown) => {
          this.#survives = `it may still run: ${error instanceof Error ? error.message : String(error)}`;
        });
        this.#ending = within(STOP_MS, ending);
        await this.#ending;
      }
    }
    this.#channel.close();
    this.#settle();
  }

  #killCommand(target: RemoteProcess, orphan = false): KillCommand {
    const { elevation, observer } = this.#command;
    const { argv, ...line } = endLine(target, elevation, orphan);
    return { ...line, observed: (send) => observer.stopping(argv, send) };
  }

  /** Waits for the wrapper's report, or for the end. */
  async #reported(ms: number): Promise<void> {
    await within(ms, this.#closed, () => this.#report.process !== null);
  }

  #outcome(): ExecResult {
    const { host, argv, elevation } = this.#command;
    this.#stderrStart.end();
    const result = this.#result();
    if (!this.#exit && this.#report.process && this.#connection.lostBecause) {
      this.#killers.onReconnect(this.#killCommand(this.#report.process, true));
    }
    const began = this.#exit !== null || this.#report.process !== null;
    const name = commandName(argv);
    const printed = [this.#report.preamble, this.#stdout.end(), this.#stderr.end(), this.#survives];
    const evidence = evidenceTail(printed.filter((text) => text !== '').join('\n'));
    if (this.#stopping) {
      const limit = this.#command.timeoutMs / 1000;
      const late = began ? `took longer than ${limit} s` : `was not started by the login shell within ${limit} s`;
      const what = this.#stopping === 'COMMAND_TIMEOUT' ? late : 'was stopped';
      throw new CommandError(this.#stopping, `${name} ${what} on ${host}`, { host, evidence, result, began });
    }
    if (!this.#exit) {
      const cause = this.#connection.lostBecause ?? 'the channel was closed without an exit status';
      throw new CommandError('SSH_CONNECTION_LOST', `the connection to ${host} was lost while ${name} ran`, {
        host,
        evidence: evidenceTail(`${evidence}\n${cause}`),
        result,
        began,
      });
    }
    if (this.#report.fenced && this.#command.fence) {
      const { code, message, evidence: who = '' } = fenced(host, this.#command.fence, this.#report.fenced);
      throw new CommandError(code, message, { host, evidence: who, result });
    }
    if (!this.#report.process) {
      const {
        code,
        message,
        evidence: why,
      } = notStartedBecause({
        where: this.#connection.where,
        command: name,
        elevated: elevation.kind !== 'none',
        code: result.code,
        output: `${this.#report.preamble}\n${this.#stderr.end()}`,
      });
      throw new CommandError(code, message, { host, evidence: why, result });
    }
    return result;
  }

  #result(): ExecResult {
    const signal = this.#exit?.signal ?? null;
    return {
      code: this.#exit?.code ?? (signal ? 128 + signalNumber(signal) : -1),
      signal,
      stdout: this.#stdout.text(),
      stderr: this.#stderr.text(),
      durationMs: Math.round(performance.now() - this.#started),
      truncated: this.#stdout.truncated || this.#stderr.truncated,
      stdoutBytes: this.#stdout.bytes,
      stderrBytes: this.#stderr.bytes,
    };
  }
}

/** Stopped before the start: nothing ran. */
function notStarted(command: Command, code: 'COMMAND_TIMEOUT' | 'COMMAND_ABORTED'): CommandError {
  const { host, argv } = command;
  const result = { code: -1, stdout: '', stderr: '', durationMs: 0, truncated: false };
  const why = code === 'COMMAND_TIMEOUT' ? 'the host gave no channel in time' : 'stopped before';
  return new CommandError(code, `${commandName(argv)} was not started on ${host}: ${why}`, {
    host,
    evidence: '',
    result,
    began: false,
  });
}

/** A name that this system knows, or UNKNOWN: the host may send any text. */
const signalName = (name: string | undefined): string | null =>
  name === undefined ? null : signalNumber(name) > 0 ? name : 'UNKNOWN';

function signalNumber(name: string): number {
  return Object.hasOwn(constants.signals, name) ? constants.signals[name as NodeJS.Signals] : 0;
}

/** Waits for the promise, or until `done` says so (asked every 20 ms), at most `ms`. Never rejects. */
async function within(ms: number, promise: Promise<unknown>, done: () => boolean = () => false): Promise<void> {
  let over = done();
  const finish = () => {
    over = true;
  };
  promise.then(finish, finish);
  const until = performance.now() + ms;
  while (!over && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    over ||= done();
  }
}
