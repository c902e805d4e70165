import type { Duplex } from 'node:stream';
import { NodeSSH } from 'node-ssh';
import type { Client, ClientChannel, ServerHostKeyAlgorithm } from 'ssh2';
import { KubewrightError } from '../../contracts/errors.ts';
import { Authentication } from './authentication.ts';
import type { Credential } from './credentials.ts';
import { fingerprint, formatHostKey } from './host-keys.ts';
import { gatherWrites, watchSilence } from './socket.ts';

/** Times of a connection, ms, and after how many keepalives without a byte it is dead. */
export interface ConnectionTimes {
  /** Until the server has greeted and exchanged keys: a machine that hangs is known by its silence there. */
  readyTimeoutMs: number;
  /** For the whole login, with what PAM and reverse DNS take, until the first command may start. */
  loginTimeoutMs: number;
  keepaliveMs: number;
  keepaliveCount: number;
}

export interface ConnectOptions {
  /** For messages and errors. */
  host: string;
  address: string;
  port: number;
  user: string;
  credential: Credential;
  times: ConnectionTimes;
  /** A TCP connection, or the bastion's forwarded channel. */
  sock: Duplex;
  algorithms: ServerHostKeyAlgorithm[];
  /** Null trusts any key. */
  expectedFingerprint: string | null;
  /** Ends the login before any secret is sent when no person has confirmed the host key. */
  unconfirmed?: ((shown: string) => KubewrightError) | undefined;
}

/** How long the peer may take to close as well, ms. */
const CLOSE_MS = 1_000;

/** Opening a channel failed before any command was sent: safe to repeat on another connection. */
export class ChannelOpenError extends Error {
  override name = 'ChannelOpenError';
}

/** One live SSH connection. Once it is lost it stays lost; the pool then opens another. */
export class SshConnection {
  /** SHA256:... of the key that the server showed. */
  readonly fingerprint: string;
  /** The same key as 'type base64'. */
  readonly hostKey: string;
  /** How messages name this login: host, user, address and port. */
  readonly where: string;
  /** Why the connection is gone, in words; null while it lives. */
  lostBecause: string | null = null;
  /** Session channels open or being opened. */
  channels = 0;
  #closing = false;
  /** Until then a slow start of the session is part of the login, by performance.now(). 0: it has started. */
  #startsUntil: number;
  readonly #client: Client;

  constructor(client: Client, blob: Buffer, where: string, startMs: number) {
    this.#client = client;
    this.where = where;
    this.#startsUntil = performance.now() + startMs;
    this.fingerprint = fingerprint(blob);
    this.hostKey = formatHostKey(blob);
  }

  /**
   * Start a command. `attach` is called in the very moment the channel exists: a fast command's output, exit and close can
   * come in the same packet, and a listener attached after an `await` would miss them. Throws ChannelOpenError when no channel could be had, SSH_CONNECTION_LOST when the connection went
   * away after the request was sent: then it is unknown whether the command ran. ssh2 calls back in every case, on loss too.
   */
  exec(command: string, attach: (channel: ClientChannel) => void): Promise<void> {
    this.channels += 1;
    return new Promise<void>((resolve, reject) => {
      try {
        this.#client.exec(command, (error, channel) => {
          if (error) {
            this.#freeChannel();
            reject(this.#startError(error));
            return;
          }
          channel.once('close', () => this.#freeChannel());
          this.#startsUntil = 0;
          attach(channel);
          resolve();
        });
      } catch (error) {
        // ssh2 throws "Not connected" at once when the socket is already closed.
        this.#freeChannel();
        reject(new ChannelOpenError(error instanceof Error ? error.message : String(error), { cause: error }));
      }
    });
  }

  /** What the session may still take to start, ms: PAM's session modules run after the login and before the first channel. */
  get startMs(): number {
    return Math.max(0, this.#startsUntil - performance.now());
  }

  /** True while it can take new commands. */
  get usable(): boolean {
    return this.lostBecause === null && !this.#closing;
  }

  /** A TCP connection from the server on to another address. Not counted among the session channels by sshd either. */
  forward(address: string, port: number, timeoutMs: number): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        reject(new Error(`connecting timed out after ${timeoutMs} ms`));
      }, timeoutMs + this.startMs);
      this.#client.forwardOut('127.0.0.1', 0, address, port, (error, channel) => {
        clearTimeout(timer);
        this.#startsUntil = 0;
        if (error) reject(error);
        else if (late) channel.destroy();
        else resolve(channel);
      });
    });
  }

  /** Close politely; commands that still run lose their channel. */
  close(): void {
    this.#closing = true;
    this.#client.end();
    // A peer that answers nothing any more must not keep the process alive.
    setTimeout(() => this.#client.destroy(), CLOSE_MS).unref();
  }

  /** Take no new commands, close when the running ones have ended. */
  closeWhenIdle(): void {
    this.#closing = true;
    if (this.channels === 0) this.close();
  }

  #freeChannel(): void {
    this.channels -= 1;
    if (this.#closing && this.channels === 0) this.close();
  }

  /** "Unable to exec" is ssh2's word for a request that was sent and not granted; any other error came before it. */
  #startError(error: Error): Error {
    if (!/Unable to exec/.test(error.message)) return new ChannelOpenError(error.message, { cause: error });
    return new KubewrightError('SSH_CONNECTION_LOST', 'the connection was lost while a command was being started', {
      cause: error,
      evidence: this.lostBecause ?? error.message,
    });
  }
}

/** How messages name a login. */
export const whereIs = ({ host, address, port, user }: Pick<ConnectOptions, 'host' | 'address' | 'port' | 'user'>) =>
  `${host} (${user}@${address}, port ${port})`;

/**
 * Log in. Throws SSH_UNREACHABLE, SSH_AUTH_FAILED, SSH_PASSWORD_EXPIRED or SSH_HOST_KEY_MISMATCH with what was found as
 * evidence.
 */
export async function connect(options: ConnectOptions): Promise<SshConnection> {
  const { host, user, sock, times, expectedFingerprint } = options;
  const where = whereIs(options);
  const started = performance.now();
  const authentication = new Authentication(user, options.credential);
  let blob: Buffer | undefined;
  let refused: KubewrightError | undefined;
  let connection: SshConnection | undefined;

  gatherWrites(sock);
  const ssh = new NodeSSH();
  const ready = ssh.connect({
    sock,
    username: user,
    authHandler: authentication.next,
    // Ours, see below: ssh2 has one for all of the login.
    readyTimeout: 0,
    keepaliveInterval: times.keepaliveMs,
    // The judgement is ours, see watchSilence.
    keepaliveCountMax: Number.MAX_SAFE_INTEGER,
    algorithms: { serverHostKey: options.algorithms },
    hostVerifier: (key: Buffer) => {
      blob = Buffer.from(key);
      const shown = fingerprint(blob);
      if (expectedFingerprint === null || shown === expectedFingerprint) {
        refused = options.unconfirmed?.(shown);
        return refused === undefined;
      }
      refused = new KubewrightError('SSH_HOST_KEY_MISMATCH', `${where} shows another host key than the known one`, {
        host,
        evidence: `expected ${expectedFingerprint}\nshown    ${shown}`,
      });
      return false;
    },
  });
  // node-ssh sets the client before its first await and drops its own error listener at `ready`. Ours has to be there
  // already: an `error` event without a listener ends the whole worker.
  const client = ssh.connection;
  if (!client) {
    await ready;
    throw new KubewrightError('INTERNAL', 'node-ssh gave no client');
  }
  let cause = 'closed by the host';
  client.on('error', (error: Error) => {
    cause = error.message;
  });
  let closed = false;
  client.on('close', () => {
    closed = true;
    if (connection) connection.lostBecause = cause;
  });
  client.on('banner', (text) => authentication.banner(text));
  client.on('change password', () => {
    authentication.passwordChange();
    client.destroy();
  });
  const late = lateLogin(client, times);
  try {
    await ready;
  } catch (error) {
    client.destroy();
    throw refused ?? late.error(host, where) ?? authentication.failure(error, host, where);
  } finally {
    late.clear();
  }
  if (!blob) throw new KubewrightError('INTERNAL', 'the connection is ready but no host key was seen');
  const startMs = Math.max(0, times.loginTimeoutMs - (performance.now() - started));
  connection = new SshConnection(client, blob, where, startMs);
  if (closed) connection.lostBecause = cause;
  const onSilence = () => {
    cause = `no answer to ${times.keepaliveCount} keepalives, one every ${times.keepaliveMs / 1000} s`;
    client.destroy();
  };
  // sshd answers nothing while PAM starts the session: that is silence of the login, not of the machine.
  watchSilence(sock, { everyMs: times.keepaliveMs, count: times.keepaliveCount, firstMs: startMs }, onSilence);
  return connection;
}

/** Ends a login that takes too long: first the greeting and the key exchange, then all of it. */
function lateLogin(client: Client, { readyTimeoutMs, loginTimeoutMs }: ConnectionTimes) {
  let problem: string | null = null;
  const after = (ms: number, what: string) =>
    setTimeout(() => {
      problem = `${what} within ${ms / 1000} s`;
      client.destroy();
    }, ms);
  const greeting = after(Math.min(readyTimeoutMs, loginTimeoutMs), 'did not complete the SSH handshake');
  const whole = after(loginTimeoutMs, 'did not complete the login');
  client.once('handshake', () => clearTimeout(greeting));
  return {
    clear: () => {
      clearTimeout(greeting);
      clearTimeout(whole);
    },
    error: (host: string, where: string) =>
      problem === null
        ? null
        : new KubewrightError('SSH_UNREACHABLE', `${where} answers, but ${problem}`, {
            host,
            evidence:
              'a slow login (reverse DNS, PAM, a busy machine) may take longer: ssh.loginTimeoutSeconds in the spec',
          }),
  };
}
