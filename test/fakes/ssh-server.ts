import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import ssh2, { type AuthContext, type Connection, type ServerChannel } from 'ssh2';
import { remoteScript } from '../support/remote-script.ts';

/** A key pair made for one test: private part in OpenSSH form, public part as 'type base64'. */
export interface TestKey {
  private: string;
  public: string;
}

export function testKey(type: 'ed25519' | 'rsa' = 'ed25519', passphrase?: string): TestKey {
  // ssh2's generator drops a leading zero byte: about six of a thousand ed25519 keys are malformed (ssh2 1.17.0).
  for (;;) {
    const encrypt = passphrase === undefined ? {} : { passphrase, cipher: 'aes256-ctr', rounds: 16 };
    const pair = ssh2.utils.generateKeyPairSync(type, { ...encrypt, bits: 2048 });
    const parsed = ssh2.utils.parseKey(pair.private, passphrase);
    if (!(parsed instanceof Error)) return { private: pair.private, public: pair.public.trim() };
  }
}

/** What the server does with a matching command line. The default is to run it for real, in a session of its own. */
export type Behaviour = (channel: ServerChannel, line: string, server: TestSshServer) => void | Promise<void>;

export interface TestServerOptions {
  hostKeys: readonly TestKey[];
  /** Public keys that may log in. */
  authorized?: readonly TestKey[];
  /** Accepted password, by the methods of `passwordMethods`. */
  password?: string;
  passwordMethods?: readonly ('password' | 'keyboard-interactive')[];
  /** Session channels at once per connection, as sshd's MaxSessions. */
  maxSessions?: number;
  /** True when it has answered: for servers with manners of their own. */
  authenticate?: (context: AuthContext, connection: Connection) => boolean;
  /** Shown before the login. */
  banner?: string;
  /** False: it forwards no connections, as sshd with AllowTcpForwarding no. */
  forwards?: boolean;
  /** Before the greeting, and between a login and its first session, ms. */
  delays?: { greeting?: number; session?: number };
  /** First on the PATH of commands: for a fake sudo. */
  path?: string;
}

/** An SSH server inside the test, with the manners of sshd and the failures that one cannot order from sshd. */
export class TestSshServer {
  port = 0;
  /** Connections accepted since the start, and those of them that logged in. */
  connections = 0;
  logins = 0;
  /** Passwords that clients offered, by either method. */
  readonly offered: string[] = [];
  /** Most sessions open at once on one connection. */
  peakSessions = 0;
  /** The scripts of the command lines, as the host's sh reads them. */
  readonly lines: string[] = [];
  readonly sockets = new Set<Socket>();
  /** PATH of login shells. */
  readonly path: string;
  /** What the login adds to the environment of commands, as PAM, sshd and shell files do. */
  environment: Record<string, string> = {};
  maxSessions: number;
  readonly #options: TestServerOptions;
  readonly #rules: { match: RegExp; behaviour: Behaviour; left: number }[] = [];
  readonly #tcp = createServer((socket) => this.#accept(socket));
  #ssh: ssh2.Server;

  constructor(options: TestServerOptions) {
    this.#options = options;
    this.path = [options.path, '/usr/bin:/bin'].filter(Boolean).join(':');
    this.maxSessions = options.maxSessions ?? 10;
    this.#ssh = this.#makeServer(options.hostKeys);
  }

  async listen(port = 0): Promise<this> {
    this.#tcp.listen(port, '127.0.0.1');
    await once(this.#tcp, 'listening');
    this.port = (this.#tcp.address() as AddressInfo).port;
    return this;
  }

  /** For command lines that match; `times` counts down. Later rules win. */
  when(match: RegExp, behaviour: Behaviour, times = Number.POSITIVE_INFINITY): this {
    this.#rules.unshift({ match, behaviour, left: times });
    return this;
  }

  /** The machine was reinstalled, or an attacker is in between. */
  changeHostKeys(...keys: TestKey[]): void {
    this.#ssh = this.#makeServer(keys);
  }

  /** Cut all connections, as a crash (reset) or a reboot (orderly end of the TCP connection). */
  drop(how: 'reset' | 'end' = 'reset'): void {
    for (const socket of this.sockets) {
      if (how === 'reset') socket.resetAndDestroy();
      else socket.end();
    }
  }

  /** Connections stay up but nothing is read or answered any more, as behind a dead link. */
  freeze(): void {
    for (const socket of this.sockets) socket.pause().removeAllListeners('data');
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#tcp.close();
    await once(this.#tcp, 'close');
  }

  #accept(socket: Socket): void {
    this.connections += 1;
    socket.setNoDelay(true);
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => {});
    const { greeting = 0 } = this.#options.delays ?? {};
    if (greeting === 0) this.#ssh.injectSocket(socket);
    else setTimeout(() => this.#ssh.injectSocket(socket), greeting).unref();
  }

  #makeServer(keys: readonly TestKey[]): ssh2.Server {
    const { banner } = this.#options;
    const hostKeys = keys.map((key) => key.private);
    return new ssh2.Server({ hostKeys, ...(banner ? { banner } : {}) }, (connection) => this.#serve(connection));
  }

  #serve(connection: Connection): void {
    let sessions = 0;
    connection.on('error', () => {});
    connection.on('authentication', (context) => {
      if (!this.#options.authenticate?.(context, connection)) this.#authenticate(context);
    });
    connection.on('ready', () => {
      this.logins += 1;
      const { session = 0 } = this.#options.delays ?? {};
      // As sshd while PAM starts the session: it reads nothing, and so answers nothing.
      const socket = [...this.sockets].at(-1);
      if (session > 0 && socket) {
        setImmediate(() => socket.pause());
        setTimeout(() => socket.resume(), session).unref();
      }
    });
    connection.on('session', (accept, reject) => {
      if (sessions >= this.maxSessions) {
        reject();
        return;
      }
      sessions += 1;
      this.peakSessions = Math.max(this.peakSessions, sessions);
      const session = accept();
      session.on('close', () => {
        sessions -= 1;
      });
      session.on('exec', (acceptExec, _reject, info) => {
        const channel = acceptExec();
        const line = remoteScript(info.command);
        this.lines.push(line);
        const rule = this.#rules.find((each) => each.left > 0 && each.match.test(line));
        if (rule) {
          rule.left -= 1;
          void rule.behaviour(channel, line, this);
        } else void runForReal(channel, info.command, this);
      });
    });
    if (this.#options.forwards === false) return;
    connection.on('tcpip', (accept, reject, info) => {
      const onward = connectTcp(info.destPort, info.destIP);
      onward.once('error', () => reject());
      onward.setNoDelay(true).once('connect', () => {
        const channel = accept();
        channel.on('error', () => onward.destroy());
        onward.removeAllListeners('error').on('error', () => channel.close());
        channel.pipe(onward).pipe(channel);
        channel.on('close', () => onward.destroy());
      });
    });
  }

  #authenticate(context: AuthContext): void {
    if (context.method === 'password') this.offered.push(context.password);
    const { authorized = [], password, passwordMethods = ['password'] } = this.#options;
    if (context.method === 'publickey') {
      const shown = context.key.data.toString('base64');
      if (authorized.some((key) => key.public.split(' ')[1] === shown)) context.accept();
      else context.reject(['publickey']);
    } else if (context.method === 'password' && password !== undefined && passwordMethods.includes('password')) {
      if (context.password === password) context.accept();
      else context.reject(['password']);
    } else if (context.method === 'keyboard-interactive' && passwordMethods.includes('keyboard-interactive')) {
      // A prompt without the word that node-ssh looks for.
      context.prompt([{ prompt: 'Kennwort: ', echo: false }], (answers) => {
        this.offered.push(...answers);
        if (answers[0] === password) context.accept();
        else context.reject();
      });
    } else {
      context.reject(password === undefined ? ['publickey'] : [...passwordMethods]);
    }
  }
}

/** As sshd does: the login shell runs the line in a session of its own, and outlives a lost connection. */
export const runForReal: Behaviour = (channel, line, server) => {
  const child = spawn('sh', ['-c', line], {
    detached: true,
    env: { ...server.environment, PATH: server.path, HOME: '/' },
  });
  channel.pipe(child.stdin);
  child.stdin.on('error', () => {});
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.once('exit', (code, signal) => {
    // sshd reports the exit at once, but closes only when the output has ended.
    if (signal) channel.exit(signal.replace(/^SIG/, ''), false, '');
    else channel.exit(code ?? 255);
  });
  child.once('close', () => channel.close());
  channel.on('close', () => {
    child.stdin.destroy();
    child.stdout.destroy();
    child.stderr.destroy();
  });
};
