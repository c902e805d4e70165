import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readFacts } from '../../../activities/host/facts.ts';
import { OutputSink } from '../../../activities/host/output.ts';
import { ReportLine } from '../../../activities/host/report-line.ts';
import type { RemoteHost } from '../../../activities/host/types.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { type Behaviour, TestSshServer, testKey } from '../../fakes/ssh-server.ts';
import { MemoryRecorder, type TestPool, testPool } from '../../fakes/test-pool.ts';

/** A host that does whatever it likes. It may spoil its own tasks: never the worker, nor what the worker writes. */

const login = testKey();
const hostKey = testKey();
let sshd: TestSshServer;
let made: TestPool;
const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);

beforeAll(async () => {
  process.on('unhandledRejection', note);
  sshd = await new TestSshServer({ hostKeys: [hostKey], authorized: [login] }).listen();
  made = poolTo(sshd.port);
});
afterEach(() => expect(unhandled.splice(0)).toEqual([]));
afterAll(async () => {
  process.off('unhandledRejection', note);
  await made.pool.close();
  await sshd.close();
});

const poolTo = (port: number, limits = {}): TestPool =>
  testPool({ login: { kind: 'key', privateKey: login.private } }, { port }, limits);
const failure = (promise: Promise<unknown>): Promise<KubewrightError> =>
  promise.then(
    () => Promise.reject(new Error('expected a failure')),
    (error: unknown) => error as KubewrightError,
  );
const markIn = (line: string): string => /kw-[0-9a-f]{18}/.exec(line)?.[0] ?? '';
const REPORT = '100 1 100 100 5';
/** Everything that acts on a terminal, a log reader or the direction of writing. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const ACTING = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e]/;
const EVIL = '\x1b[2J\x1b]0;owned\x07\x9b31m\r\u202eabc\u2028{"level":30}\x00';

let next = 0;
/** A host on which the next command behaves like this. */
async function behaving(behaviour: Behaviour): Promise<{ host: RemoteHost; word: string }> {
  next += 1;
  const word = `hostile-${next}`;
  const { host } = await made.open();
  sshd.when(new RegExp(`${word}$`), behaviour, 1);
  return { host, word };
}

describe('output', () => {
  test('of 4 GiB without a line end keeps a beginning and an end', () => {
    const [limit, chunk] = [100_000, Buffer.alloc(1024 * 1024, 'x')];
    const sink = new OutputSink(limit);
    for (let count = 0; count < 4096; count += 1) sink.push(chunk);
    expect(sink.bytes).toBe(4 * 1024 ** 3);
    expect(sink.truncated).toBe(true);
    expect(sink.text()).toHaveLength(limit);
    expect(sink.end().length).toBeLessThanOrEqual(16 * 1024);
  });

  test.each(['no mark', 'the mark, then no line end', 'a refusal, then anything'])(
    'before the report is bounded: %s',
    (kind) => {
      const passed: Buffer[] = [];
      const report = new ReportLine('kw-mark', (chunk) => passed.push(chunk));
      if (kind.startsWith('the mark')) report.push(Buffer.from('kw-mark '));
      if (kind.startsWith('a refusal')) report.push(Buffer.from('kw-mark fenced someone else\n'));
      for (let count = 0; count < 2000; count += 1) report.push(Buffer.alloc(64 * 1024, 'y'));
      expect(report.process).toBeNull();
      expect(report.kept).toBeLessThanOrEqual(128 * 1024);
      expect(passed).toEqual([]);
    },
  );

  test('as one line of 48 MiB over a real connection is counted, and cut', async () => {
    const { host, word } = await behaving((channel, line) => {
      channel.write(`${markIn(line)} ${REPORT}\n`);
      let left = 768;
      const more = () => {
        while (left-- > 0) if (!channel.write(Buffer.alloc(65_536, 'z'))) return void channel.once('drain', more);
        channel.exit(0);
        channel.close();
      };
      more();
    });
    const result = await host.exec([word], { maxOutputBytes: 1000 });
    expect(result).toMatchObject({ code: 0, truncated: true, stdoutBytes: 48 * 1024 * 1024 });
    expect(result.stdout).toHaveLength(1000);
  });

  test('that drips for ever ends with the time of the command, also after its exit', async () => {
    const drip: (exits: boolean) => Behaviour = (exits) => (channel, line) => {
      channel.write(`${markIn(line)} ${REPORT}\n`);
      if (exits) channel.exit(0);
      const timer = setInterval(() => channel.write('.'), 20);
      channel.on('close', () => clearInterval(timer));
    };
    const endless = await behaving(drip(false));
    expect((await failure(endless.host.exec([endless.word], { timeoutMs: 300 }))).code).toBe('COMMAND_TIMEOUT');
    const exited = await behaving(drip(true));
    expect(await exited.host.exec([exited.word], { timeoutMs: 300 })).toMatchObject({ code: 0 });
  });
});

describe('the report of the wrapper', () => {
  const forged = [
    ['words for numbers', (nonce: string) => `${nonce} a b c d e\n`],
    ['a command', (nonce: string) => `${nonce} 1;reboot $(reboot) \`reboot\` 1 1\n`],
    ['everything there is', (nonce: string) => `${nonce} -1 -1 -1 -1 -1\n`],
    ['fractions', (nonce: string) => `${nonce} 1.5 1e3 0x10 Infinity 1\n`],
    ['nothing', (nonce: string) => `${nonce}\n`],
  ] as const;

  test.each(forged)('that holds %s is none: nothing of it is sent back', async (_name, report) => {
    const { host, word } = await behaving((channel, line) => void channel.write(report(markIn(line))));
    const before = sshd.lines.length;
    expect((await failure(host.exec([word], { timeoutMs: 200 }))).code).toBe('COMMAND_TIMEOUT');
    for (const line of sshd.lines.slice(before + 1)) expect(line).not.toMatch(/NaN|Infinity|reboot|'-1'|1\.5/);
  });

  test('is read once: another one is ordinary output', async () => {
    const { host, word } = await behaving((channel, line) => {
      const nonce = markIn(line);
      channel.write(`${nonce} ${REPORT}\n${nonce} 1 1 1 1 1\n`);
      channel.exit(0);
      channel.close();
    });
    expect((await host.exec([word])).stdout).toMatch(/^kw-[0-9a-f]{18} 1 1 1 1 1\n$/);
  });
});

describe('facts that it reports', () => {
  test('an exit signal of its own invention is not passed on', async () => {
    const signal = `EVIL\n${EVIL}`.toUpperCase();
    // ssh2's server is more honest than hosts are: it sends the names that it knows.
    const { SIGNALS } = createRequire(import.meta.url)('ssh2/lib/protocol/constants.js') as {
      SIGNALS: Record<string, 1>;
    };
    SIGNALS[signal] = 1;
    const { host, word } = await behaving((channel, line) => {
      channel.write(`${markIn(line)} ${REPORT}\n`);
      channel.exit(signal, false, EVIL);
      channel.close();
    });
    const error = await failure(host.exec([word]));
    expect(error.code).toBe('COMMAND_FAILED');
    expect(error.message).not.toMatch(ACTING);
    expect(error.message).not.toMatch(/\n|EVIL/);
    expect(made.recorder.entries.at(-1)?.end?.signal ?? '').not.toMatch(ACTING);
  });

  test('errors quote it in characters that act on nothing', async () => {
    const { host, word } = await behaving((channel, line) => {
      channel.write(`${markIn(line)} ${REPORT}\n`);
      channel.stderr.write(`first line\n${EVIL}`);
      channel.stderr.write(Buffer.from([0xff, 0xfe, 0xc3, 0x28]));
      channel.exit(1);
      channel.close();
    });
    const error = await failure(host.exec([word]));
    expect(error.evidence).toMatch(/^first line\n\\u\{1b\}\[2J/);
    expect(error.evidence).not.toMatch(ACTING);
    expect(JSON.stringify(error.report())).not.toMatch(ACTING);
  });

  test('changes that quote it are short, on one line, and without effect', async () => {
    const { host, word } = await behaving((channel, line) => {
      channel.write(`${markIn(line)} ${REPORT}\n`);
      channel.exit(0);
      channel.close();
    });
    const change = {
      resource: `hostname:${EVIL}`,
      action: 'update' as const,
      detail: `a\n${EVIL.repeat(10_000)} → cp-1`,
    };
    await host.exec([word], { changes: [change] });
    const [written] = made.recorder.entries.at(-1)!.start.changes!;
    expect(written).toMatchObject({ action: 'update', detail: expect.stringMatching(/^a \\u\{1b\}\[2J/) });
    for (const text of [written!.detail, written!.resource]) {
      expect(text).not.toMatch(ACTING);
      expect(text).not.toContain('\n');
      expect(text.length).toBeLessThanOrEqual(500);
    }
  });

  test('an error stays within its size when every character has to be written out', () => {
    const error = new KubewrightError('COMMAND_FAILED', `a\nb${'\x1b'.repeat(3)}`, { evidence: '\x1b'.repeat(2000) });
    expect(error.message).toBe('a b\\u{1b}\\u{1b}\\u{1b}');
    expect(error.evidence?.length).toBeLessThanOrEqual(2000);
  });

  test('facts are short, on one line, and without effect', async () => {
    const facts = [
      `hostname=cp-1${EVIL.repeat(100)}`,
      'injected=1',
      `machineId=${'a'.repeat(100_000)}`,
      `os.ID="de\x1b[1mbian"`,
      `cpus=${'9'.repeat(400)}`,
      'memoryKiB=-5',
      `virt=${'v'.repeat(700_000)}`,
    ].join('\n');
    const { host } = await made.open();
    sshd.when(
      / -s --$/,
      (channel, line) => {
        channel.write(`${markIn(line)} ${REPORT}\n${facts}`);
        channel.exit(0);
        channel.close();
      },
      1,
    );
    const read = await readFacts(host);
    for (const value of Object.values(read).flatMap((each) =>
      typeof each === 'object' ? Object.values(each) : each,
    )) {
      expect(String(value)).not.toMatch(ACTING);
      expect(String(value)).not.toContain('\n');
      expect(String(value).length).toBeLessThanOrEqual(256);
    }
    expect(read).toMatchObject({ memoryMiB: 0 });
    expect(Number.isFinite(read.cpus)).toBe(true);
  });
});

describe('a connection', () => {
  /** A relay that treats what the server sends: `each` gets the bytes and where they are in the stream. */
  async function relay(each: (chunk: Buffer, at: number, client: Socket, server: Socket) => Buffer | null) {
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      const onward = connect(sshd.port, '127.0.0.1');
      let at = 0;
      for (const socket of [client, onward]) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          client.destroy();
          onward.destroy();
        });
      }
      client.pipe(onward);
      onward.on('data', (chunk) => {
        const passed = each(chunk, at, client, onward);
        at += chunk.length;
        if (passed) client.write(passed);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      port: (server.address() as AddressInfo).port,
      close: async () => {
        for (const socket of sockets) socket.destroy();
        server.close();
        await once(server, 'close');
      },
    };
  }

  /** Login, facts, two commands: what is to be disturbed somewhere. */
  async function visit(port: number, readyTimeoutMs?: number): Promise<string> {
    const pool = poolTo(port, readyTimeoutMs === undefined ? {} : { readyTimeoutMs, loginTimeoutMs: readyTimeoutMs });
    try {
      const { host } = await pool.open();
      const { stdout } = await host.exec(['echo', 'one'], { timeoutMs: 5_000 });
      await host.script('echo two; exit 3', [], { okCodes: [3], timeoutMs: 5_000 });
      return stdout;
    } finally {
      await pool.pool.close();
    }
  }

  async function lengthOfVisit(): Promise<number> {
    let length = 0;
    const counting = await relay((chunk, at) => {
      length = Math.max(length, at + chunk.length);
      return chunk;
    });
    expect(await visit(counting.port)).toBe('one\n');
    await counting.close();
    return length;
  }

  const KNOWN = [
    'SSH_UNREACHABLE',
    'LOGIN_SHELL_UNUSABLE',
    'SSH_CONNECTION_LOST',
    'SSH_AUTH_FAILED',
    'SSH_HOST_KEY_MISMATCH',
    'COMMAND_TIMEOUT',
  ];
  const STAGES = 16;

  test('that is cut at any stage is an error with a name, or nothing was lost', async () => {
    const length = await lengthOfVisit();
    for (let stage = 0; stage <= STAGES; stage += 1) {
      const cut = Math.floor((length * stage) / STAGES);
      let done = false;
      // Only the first connection is cut; the pool may then come again.
      const cutting = await relay((chunk, at, client) => {
        if (done || at + chunk.length < cut) return chunk;
        done = true;
        client.write(chunk.subarray(0, Math.max(0, cut - at)), () => client.resetAndDestroy());
        return null;
      });
      const outcome = await visit(cutting.port).catch((error: unknown) => error);
      await cutting.close();
      if (outcome === 'one\n') continue;
      expect(KubewrightError.is(outcome), `cut at ${cut} of ${length}: ${String(outcome)}`).toBe(true);
      expect(KNOWN).toContain((outcome as KubewrightError).code);
    }
  });

  test('with a wrong byte at any stage is an error with a name', async () => {
    const length = await lengthOfVisit();
    for (let stage = 0; stage < STAGES; stage += 1) {
      const place = Math.floor((length * stage) / STAGES);
      const spoiling = await relay((chunk, at) => {
        if (place < at || place >= at + chunk.length) return chunk;
        const wrong = Buffer.from(chunk);
        wrong[place - at] = wrong[place - at]! ^ 0x55;
        return wrong;
      });
      const outcome = await visit(spoiling.port, 1_000).catch((error: unknown) => error);
      await spoiling.close();
      // A changed packet never passes as the host's word.
      if (outcome === 'one\n') continue;
      expect(KubewrightError.is(outcome), `byte ${place} of ${length}: ${String(outcome)}`).toBe(true);
      expect(KNOWN).toContain((outcome as KubewrightError).code);
    }
  });
});

test('a recorder gets an end for every begin, with any behaviour of the host', () => {
  expect(made.recorder).toBeInstanceOf(MemoryRecorder);
  expect(made.recorder.entries.filter(({ end }) => end === null)).toEqual([]);
});
