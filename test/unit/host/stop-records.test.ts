import { userInfo } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CommandStart } from '../../../activities/host/types.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { runForReal, TestSshServer, testKey } from '../../fakes/ssh-server.ts';
import { type MemoryRecorder, type TestPool, testPool } from '../../fakes/test-pool.ts';

/** What is run on a host to end a command is in the journal as well: sshd sees nothing that has no record. */

const login = testKey();
const me = userInfo().username;
let sshd: TestSshServer;
let made: TestPool;
let recorder: MemoryRecorder;

beforeEach(async () => {
  sshd = await new TestSshServer({ hostKeys: [testKey()], authorized: [login] }).listen();
  made = testPool({ login: { kind: 'key', privateKey: login.private } }, { port: sshd.port, user: 'root' });
  recorder = made.recorder;
});
afterEach(async () => {
  await made.pool.close();
  await sshd.close();
});

const failure = (promise: Promise<unknown>): Promise<KubewrightError> =>
  promise.then(
    () => Promise.reject(new Error('expected a failure')),
    (error: unknown) => error as KubewrightError,
  );
const stops = () => recorder.entries.filter(({ start }) => start.kind === 'stop');
/** The number that the recorder gave to the command with this word. */
const seqOf = (word: string) => recorder.entries.findIndex(({ start }) => start.argv.includes(word)) + 1;
const ran = (word: string) => sshd.lines.filter((line) => line.includes(word)).length;
/** Every line that the server ran has its record, and the reverse. */
const complete = () => {
  const recorded = recorder.entries.filter(({ end }) => end?.delivery !== 'not-run');
  expect(recorded).toHaveLength(sshd.lines.length);
};

test.each(['a timeout', 'an abort'])(
  '%s: the line that ends the command has its record, begun before it',
  async (how) => {
    const controller = new AbortController();
    const { host } = await made.open({}, { signal: controller.signal });
    const open: boolean[] = [];
    sshd.when(/list\(\)/, (...asked) => {
      open.push(stops()[0]?.end === null);
      return runForReal(...asked);
    });
    const stopped = failure(host.exec(['sleep', '600.25'], how === 'a timeout' ? { timeoutMs: 300 } : {}));
    await expect.poll(() => ran('600.25')).toBe(1);
    if (how === 'an abort') controller.abort();
    const error = await stopped;
    expect(error.code).toBe(how === 'a timeout' ? 'COMMAND_TIMEOUT' : 'COMMAND_ABORTED');
    expect(error.evidence).toBe('');
    expect(open).toEqual([true]);
    expect(stops()).toMatchObject([
      {
        start: {
          host: 'host-1',
          ends: seqOf('600.25'),
          stdinSha256: null,
          hostKeyFingerprint: expect.stringMatching(/^SHA256:/) as string,
        },
        end: { code: 0, error: null },
      },
    ]);
    expect(stops()[0]!.start.argv.slice(0, 2)).toEqual(['sh', '-c']);
    complete();
  },
);

test('what a lost connection left running: its end is recorded with the command that it ends, once it is run', async () => {
  const { host } = await made.open();
  const lost = failure(host.exec(['sh', '-c', 'sleep 60 & sleep 600.5']));
  await expect.poll(() => ran('600.5')).toBe(1);
  // Its report was on the way before it ran; when this is answered, that has come too.
  await host.exec(['true']);
  sshd.drop();
  expect((await lost).code).toBe('SSH_CONNECTION_LOST');
  expect(stops()).toEqual([]);
  await host.exec(['true']);
  expect(stops()).toMatchObject([{ end: { code: 0, error: null } }]);
  const ended = recorder.entries[stops()[0]!.start.ends! - 1]!.start.argv;
  expect(ended).toEqual(['sh', '-c', 'sleep 60 & sleep 600.5']);
  complete();
});

test('a stop that cannot be recorded is not run; that is logged, and in the evidence of the command', async () => {
  const { host } = await made.open();
  const begin = recorder.begin.bind(recorder);
  recorder.begin = (start: CommandStart) =>
    start.kind === 'stop' ? Promise.reject(new KubewrightError('STORE_FAILED', 'the journal is away')) : begin(start);
  const error = await failure(host.exec(['sleep', '2.75'], { timeoutMs: 300 }));
  expect(error).toMatchObject({ code: 'COMMAND_TIMEOUT', evidence: 'it may still run: the journal is away' });
  expect(made.warnings).toContain('a stopped command may still run on the host');
  complete();
});

test('a stop whose connection is lost is recorded with an unknown end', async () => {
  const { host } = await made.open();
  sshd.when(/list\(\)/, (_channel, _line, server) => server.drop());
  const error = await failure(host.exec(['sleep', '2.5'], { timeoutMs: 300 }));
  expect(error.code).toBe('COMMAND_TIMEOUT');
  await expect
    .poll(() => stops())
    .toMatchObject([{ end: { code: null, error: 'SSH_CONNECTION_LOST', delivery: 'unknown' } }]);
});

test('a command that never reached the host is not reported as one that ran there', async () => {
  const controller = new AbortController();
  const { host } = await made.open({}, { signal: controller.signal });
  const all = Array.from({ length: 8 }, () => failure(host.exec(['sleep', '600.75'])));
  await expect.poll(() => ran('600.75')).toBe(5);
  controller.abort();
  await Promise.all(all);
  const mine = recorder.entries.filter(({ start }) => start.argv.includes('600.75'));
  expect(mine.filter(({ end }) => end?.delivery === 'not-run')).toHaveLength(3);
  await failure(host.upload('/nowhere/x', 'x', { owner: me }));
  expect(recorder.entries.at(-1)).toMatchObject({ start: { kind: 'upload' }, end: { delivery: 'not-run' } });
  expect(new Set(stops().map(({ start }) => start.ends)).size).toBe(5);
  complete();
});

test('a command that was sent without an answer has an unknown result', async () => {
  const { host } = await made.open();
  sshd.when(/unheard/, (_channel, _line, server) => server.drop());
  await failure(host.exec(['unheard']));
  expect(recorder.entries.at(-1)).toMatchObject({
    start: { argv: ['unheard'] },
    end: { code: null, error: 'SSH_CONNECTION_LOST', delivery: 'unknown' },
  });
  // Of this one we heard that it began.
  sshd.when(/heard-of/, (channel, line, server) => {
    const nonce = /kw-[0-9a-f]{18}/.exec(line)![0];
    channel.write(`${nonce} 4194303 1 4194303 4194303 1\n`, () => server.drop('end'));
  });
  await failure(host.exec(['heard-of']));
  const heard = recorder.entries.find(({ start }) => start.argv[0] === 'heard-of');
  expect(heard?.end).toMatchObject({ code: null, error: 'SSH_CONNECTION_LOST', delivery: undefined });
});
