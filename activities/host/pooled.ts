import pLimit, { type LimitFunction } from 'p-limit';
import type { ClientChannel } from 'ssh2';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Elevation } from './command-line.ts';
import { ChannelOpenError, type SshConnection } from './connection.ts';
import type { HostLogger } from './credentials.ts';
import type { ConnectionSource, ConnectionUse } from './source.ts';
import type { HostFacts } from './types.ts';

/** How often one command may look for a connection that gives it a channel. */
const CHANNEL_ATTEMPTS = 4;

/** A fresh login: the connection and how it becomes root. */
export interface Login {
  connection: SshConnection;
  elevation: Elevation;
}

export interface PooledOptions {
  name: string;
  login(): Promise<Login>;
  channels: number;
  idleMs: number;
  logger: HostLogger | undefined;
  /** Called when the connection was closed for lack of use. */
  onIdle(): void;
}

/** One target of the pool: at most one connection that takes new commands, made when needed and again when lost. */
export class PooledTarget implements ConnectionSource {
  readonly #options: PooledOptions;
  readonly #limit: LimitFunction;
  #present: Promise<Login> | null = null;
  #facts: { connection: SshConnection; read: Promise<HostFacts> } | null = null;
  /** Users of the connection now: commands, and streams through a jump host. */
  #users = 0;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: PooledOptions) {
    this.#options = options;
    this.#limit = pLimit(options.channels);
  }

  /** The live connection; concurrent callers share one login. */
  async login(): Promise<Login> {
    if (this.#closed)
      throw new KubewrightError('COMMAND_ABORTED', 'the SSH pool is closed', { host: this.#options.name });
    const present = this.#present;
    if (present) {
      const login = await present;
      if (login.connection.lostBecause === null) return login;
      if (this.#present === present) this.#present = null;
      return this.login();
    }
    const fresh = this.#options.login();
    this.#present = fresh;
    try {
      const login = await fresh;
      if (this.#closed) login.connection.close();
      return login;
    } catch (error) {
      if (this.#present === fresh) this.#present = null;
      throw error;
    }
  }

  use<T>(signal: AbortSignal, work: (connection: SshConnection, use: ConnectionUse) => Promise<T>): Promise<T> {
    return this.#limit(async () => {
      const release = this.hold();
      try {
        for (let attempt = 1; ; attempt += 1) {
          const { connection, elevation } = await abortable(this.login(), signal, this.#options.name);
          try {
            return await work(connection, { elevation, aside: (line, stdin) => this.#aside(connection, line, stdin) });
          } catch (error) {
            if (!(error instanceof ChannelOpenError)) throw error;
            this.#retire(connection, error);
            if (attempt < CHANNEL_ATTEMPTS) continue;
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
    });
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
  hold(): () => void {
    this.#users += 1;
    clearTimeout(this.#idle);
    return () => {
      this.#users -= 1;
      if (this.#users > 0 || this.#closed) return;
      clearTimeout(this.#idle);
      this.#idle = setTimeout(() => {
        this.#options.onIdle();
        void this.#drop();
      }, this.#options.idleMs).unref();
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    await this.#drop();
  }

  async #drop(): Promise<void> {
    const present = this.#present;
    this.#present = null;
    this.#facts = null;
    const login = await present?.catch(() => null);
    login?.connection.close();
  }

  /**
   * No channel: the connection died unnoticed, or the host allows fewer than we use (MaxSessions). New commands go to a
   * new connection; those that run keep theirs. From then on no more than what it bore are put on one connection.
   */
  #retire(connection: SshConnection, error: ChannelOpenError): void {
    this.#options.logger?.warn({ host: this.#options.name, error: error.message }, 'no channel: connecting again');
    if (connection.lostBecause === null && connection.channels > 0 && connection.channels < this.#limit.concurrency) {
      this.#limit.concurrency = connection.channels;
    }
    connection.closeWhenIdle();
    const present = this.#present;
    void present?.then(
      (login) => {
        if (login.connection === connection && this.#present === present) this.#present = null;
      },
      () => {},
    );
  }

  /** Outside the channel limit, so that a full connection can always be stopped. Waits for the end, not the outcome. */
  async #aside(connection: SshConnection, line: string, stdin: string): Promise<void> {
    try {
      await runLine(connection, line, stdin);
    } catch (error) {
      if (!(error instanceof ChannelOpenError)) throw error;
      const login = await this.#options.login();
      await runLine(login.connection, line, stdin).finally(() => login.connection.close());
    }
  }
}

function runLine(connection: SshConnection, line: string, stdin: string): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const attach = (channel: ClientChannel) => {
      channel.on('close', () => resolve());
      channel.on('error', () => {});
      channel.resume();
      channel.stderr.resume();
      channel.end(stdin);
    };
    connection.exec(line, attach).catch(reject);
  });
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
    // When aborted, nobody may be left to see the promise fail.
    promise.catch(() => {});
  }
}
