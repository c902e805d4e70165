import { setTimeout as sleep } from 'node:timers/promises';
import pLimit, { type LimitFunction } from 'p-limit';
import type { ClientChannel } from 'ssh2';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Elevation } from './command-line.ts';
import { NOTHING_IN_COMMON } from './connect-error.ts';
import { ChannelOpenError, type SshConnection } from './connection.ts';
import type { HostLogger } from './credentials.ts';
import { dial } from './dial.ts';
import type { CommandKillers, KillCommand } from './exec.ts';
import { OutputSink } from './output.ts';
import type { ConnectionSource, ConnectionUse } from './source.ts';
import type { ExecResult, HostFacts } from './types.ts';

/** OpenSSH's MaxSessions unless its configuration says otherwise: what one connection is given at most. */
const MAX_SESSIONS = 10;
/** How often one command may look for a connection that gives it a channel. */
const CHANNEL_ATTEMPTS = 4;
/** How long a new connection may first be busy with what the lost one left running, ms. */
const ORPHANS_MS = 5_000;
/** For so long after a verdict the host is known as down: the next who asks gets one try, not the whole patience. ms. */
const DOWN_MS = 10_000;
/** No more commands than this can have been running on one connection. */
const MOST_ORPHANS = 10;
/** What is kept of the words of a line that ends a command: it should have none. Bytes per stream. */
const SIDE_OUTPUT_BYTES = 16 * 1024;

type Work<T> = (connection: SshConnection, use: ConnectionUse) => Promise<T>;

/** A fresh login: the connection and how it becomes root. */
export interface Login {
  connection: SshConnection;
  elevation: Elevation;
  /** What must never be shown: the credential, and that of the jump host. */
  secrets: readonly string[];
}

export interface PooledOptions {
  name: string;
  /** One try, which may take so long, ms. */
  login(leftMs: number): Promise<Login>;
  /** How long a host that cannot be reached is tried again, ms. */
  retryForMs: number;
  channels: number;
  idleMs: number;
  logger: HostLogger | undefined;
  /** Called when the connection was closed for lack of use. */
  onIdle(): void;
}

/**
 * One target of the pool: a connection made when it is needed and again when it was lost. A host that allows fewer
 * channels per connection than we use (MaxSessions) gets more connections.
 */
export class PooledTarget implements ConnectionSource {
  readonly #options: PooledOptions;
  readonly #limit: LimitFunction;
  #logins: Login[] = [];
  #pending: Promise<Login> | null = null;
  /** Channels that one connection is known to bear: learnt from refusals. */
  #perConnection = MAX_SESSIONS;
  #facts: { connection: SshConnection; read: Promise<HostFacts> } | null = null;
  /** Users of the connection now: commands, and streams through a jump host. */
  #users = 0;
  #idle: NodeJS.Timeout | undefined;
  /** Lines that end what lost connections left running. */
  readonly #orphans: KillCommand[] = [];
  /** A command has ended on one of the connections. */
  #hadSession = false;
  /** This very login has worked before. */
  #proven = false;
  /** When it was last found to be unreachable, by performance.now(). */
  #downAt = Number.NEGATIVE_INFINITY;
  readonly #closing = new AbortController();

  constructor(options: PooledOptions) {
    this.#options = options;
    this.#limit = pLimit(options.channels);
  }

  /** A live connection with less than `channels` in use; concurrent callers share one login. */
  async login(channels = Number.POSITIVE_INFINITY): Promise<Login> {
    for (;;) {
      if (this.#closing.signal.aborted) {
        throw new KubewrightError('COMMAND_ABORTED', 'the SSH pool is closed', { host: this.#options.name });
      }
      this.#logins = this.#logins.filter(({ connection }) => connection.usable);
      const found = this.#logins.find(({ connection }) => connection.channels < channels);
      if (found) return found;
      this.#pending ??= this.#logIn();
      await this.#pending;
    }
  }

  async #logIn(): Promise<Login> {
    try {
      const login = await this.#dial();
      // Without a terminal the host does not end what a lost connection left running. A retry must not run beside it.
      const orphans = this.#orphans
        .splice(0)
        .map((end) => end.observed(() => this.#send(login.connection, end)).catch(this.#notEnded));
      if (orphans.length > 0) await Promise.race([Promise.all(orphans), sleep(ORPHANS_MS, null, { ref: false })]);
      this.#logins.push(login);
      if (this.#closing.signal.aborted) login.connection.close();
      return login;
    } finally {
      this.#pending = null;
    }
  }

  /** The verdict on the host is one for all who wait for it; who comes right after it does not wait as long again. */
  async #dial(): Promise<Login> {
    const unreachable = (error: unknown) => KubewrightError.is(error) && error.code === 'SSH_UNREACHABLE';
    const passes = (error: unknown) =>
      unreachable(error) && !(KubewrightError.is(error) && NOTHING_IN_COMMON.test(error.evidence ?? ''));
    // While a host boots, its login may be refused for a moment.
    const booting = (error: unknown) => this.#proven && KubewrightError.is(error) && error.code === 'SSH_AUTH_FAILED';
    try {
      const login = await dial((leftMs) => this.#options.login(leftMs), {
        retryForMs: performance.now() - this.#downAt < DOWN_MS ? 0 : this.#options.retryForMs,
        passes: (error) => passes(error) || booting(error),
        signal: this.#closing.signal,
      });
      this.#proven = true;
      this.#downAt = Number.NEGATIVE_INFINITY;
      return login;
    } catch (error) {
      if (unreachable(error)) this.#downAt = performance.now();
      throw error;
    }
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#logins.filter(({ connection }) => connection.usable).length;
  }

  use<T>(signal: AbortSignal, work: Work<T>): Promise<T> {
    return this.#limit(() => this.#use(signal, work));
  }

  /** For what must not queue behind the commands that it is there to end: beside `channels`, on the same connection. */
  readonly unqueued: ConnectionSource = { use: (signal, work) => this.#use(signal, work) };

  async #use<T>(signal: AbortSignal, work: Work<T>): Promise<T> {
    const release = this.acquire();
    try {
      for (let refusals = 0; ; ) {
        const login = this.login(this.#perConnection);
        const { connection, elevation } = await abortable(login, signal, this.#options.name);
        try {
          const done = await work(connection, { elevation, killers: this.#killers(connection) });
          this.#hadSession = true;
          return done;
        } catch (error) {
          if (!(error instanceof ChannelOpenError)) throw error;
          refusals += this.#refused(connection, error);
          if (refusals < CHANNEL_ATTEMPTS) continue;
          if (!this.#hadSession) {
            const message = `${connection.where} lets us log in, but opens no session (MaxSessions 0 in sshd_config?)`;
            const { name: host } = this.#options;
            throw new KubewrightError('LOGIN_SHELL_UNUSABLE', message, { cause: error, host, evidence: error.message });
          }
          throw new KubewrightError('SSH_CONNECTION_LOST', `${this.#options.name} gives no channel for a command`, {
            cause: error,
            host: this.#options.name,
            evidence: error.message,
          });
        }
      }
    } finally {
      release();
    }
  }

  /**
   * No channel. With others open on this connection it is full, and no more are put on one from now on (0: the try does
   * not count, for it teaches something each time). Otherwise the connection is of no use (1).
   */
  #refused(connection: SshConnection, error: ChannelOpenError): 0 | 1 {
    this.#options.logger?.warn(
      { host: this.#options.name, error: error.message },
      'the host opened no SSH channel: reconnecting',
    );
    if (connection.usable && connection.channels > 0 && connection.channels <= this.#perConnection) {
      this.#perConnection = Math.max(1, Math.min(this.#perConnection - 1, connection.channels));
      if (connection.channels >= this.#perConnection) return 0;
    }
    connection.closeWhenIdle();
    return 1;
  }

  /** Facts are read once per connection; a failed reading is tried again by the next caller. */
  facts(connection: SshConnection, read: () => Promise<HostFacts>): Promise<HostFacts> {
    if (this.#facts?.connection !== connection) {
      const facts = { connection, read: read() };
      this.#facts = facts;
      facts.read.catch(() => {
        if (this.#facts === facts) this.#facts = null;
      });
    }
    return this.#facts.read;
  }

  /** Keeps the connection from being closed as idle until the returned function is called (once). */
  acquire(): () => void {
    this.#users += 1;
    clearTimeout(this.#idle);
    return () => {
      this.#users -= 1;
      if (this.#users > 0 || this.#closing.signal.aborted) return;
      clearTimeout(this.#idle);
      this.#idle = setTimeout(() => {
        this.#options.onIdle();
        void this.#drop();
      }, this.#options.idleMs).unref();
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#idle);
    await this.#drop();
  }

  async #drop(): Promise<void> {
    this.#facts = null;
    await this.#pending?.catch(() => {});
    for (const { connection } of this.#logins.splice(0)) connection.close();
  }

  /** Outside the channel limit, so that a full connection can always be stopped. */
  #killers(connection: SshConnection): CommandKillers {
    return {
      now: async (end) => {
        try {
          await end.observed(() => this.#now(connection, end));
        } catch (error) {
          this.#notEnded(error);
          throw error;
        }
      },
      onReconnect: (end) => {
        if (this.#orphans.length < MOST_ORPHANS) this.#orphans.push(end);
      },
    };
  }

  async #now(connection: SshConnection, end: KillCommand): Promise<ExecResult> {
    try {
      return await this.#send(connection, end);
    } catch (error) {
      if (!(error instanceof ChannelOpenError)) throw error;
      const login = await this.#dial();
      return await this.#send(login.connection, end).finally(() => login.connection.close());
    }
  }

  /** Runs a line and waits for its end. Throws SSH_CONNECTION_LOST when it is unknown how that was. */
  #send(connection: SshConnection, { line, stdin }: KillCommand): Promise<ExecResult> {
    const [stdout, stderr] = [new OutputSink(SIDE_OUTPUT_BYTES), new OutputSink(SIDE_OUTPUT_BYTES)];
    const started = performance.now();
    return new Promise((resolve, reject) => {
      let code: number | null = null;
      const attach = (channel: ClientChannel) => {
        channel.on('data', (chunk: Buffer) => stdout.push(chunk));
        channel.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
        channel.on('error', () => {});
        channel.on('exit', (given: number | null) => {
          code = given;
        });
        channel.on('close', () => {
          if (code === null) {
            const { name } = this.#options;
            const evidence = connection.lostBecause ?? 'the channel was closed without an exit code';
            const message = `it is unknown how the ending of a command went on ${name}`;
            reject(new KubewrightError('SSH_CONNECTION_LOST', message, { host: name, evidence }));
            return;
          }
          resolve({
            code,
            stdout: stdout.text(),
            stderr: stderr.text(),
            durationMs: Math.round(performance.now() - started),
            truncated: stdout.truncated || stderr.truncated,
            stdoutBytes: stdout.bytes,
            stderrBytes: stderr.bytes,
          });
        });
        channel.end(stdin);
      };
      connection.exec(line, attach).catch(reject);
    });
  }

  readonly #notEnded = (error: unknown): void => {
    this.#options.logger?.warn({ host: this.#options.name, err: error }, 'a stopped command may still run on the host');
  };
}

/** The promise, or COMMAND_ABORTED as soon as the signal fires. The promise goes on for others who share it. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal, host: string): Promise<T> {
  let onAbort: () => void = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(new KubewrightError('COMMAND_ABORTED', `stopped while connecting to ${host}`, { host }));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    // After an abort the promise may have no handler left.
    promise.catch(() => {});
  }
}
