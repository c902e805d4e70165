import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { CommandError } from '../../../activities/host/command-error.ts';
import { JournaledHost } from '../../../activities/host/journaled-host.ts';
import { KnownSecrets } from '../../../activities/host/known-secrets.ts';
import { MASK } from '../../../activities/host/redact.ts';
import { scriptInput } from '../../../activities/host/ssh-host.ts';
import type { RemoteHost } from '../../../activities/host/types.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { FakeHost } from '../../fakes/fake-host.ts';
import { MemoryRecorder } from '../../fakes/test-pool.ts';

const SECRET = 'hunter22-and-more';

function journaled(inner: RemoteHost = new FakeHost('cp-1')) {
  const recorder = new MemoryRecorder();
  const host = new JournaledHost(inner, {
    recorder,
    hostKeyFingerprint: 'SHA256:abc',
    secrets: new KnownSecrets([SECRET]),
  });
  return { host, recorder, fake: inner as FakeHost };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

const failure = (promise: Promise<unknown>): Promise<KubewrightError> =>
  promise.then(
    () => Promise.reject(new Error('expected a failure')),
    (error: unknown) => error as KubewrightError,
  );

test('a command is recorded before it starts and after it ends; the caller gets the true output', async () => {
  const { host, recorder, fake } = journaled();
  fake.on(/^login/, () => {
    expect(recorder.entries).toMatchObject([{ end: null }]);
    return { stdout: `token ${SECRET}`, stderr: Buffer.from(SECRET).toString('base64') };
  });
  const result = await host.exec(['login', `--password=${SECRET}`], { env: { KEY: SECRET }, stdin: 'input' });
  expect(result.stdout).toBe(`token ${SECRET}`);
  expect(recorder.entries).toHaveLength(1);
  expect(recorder.entries[0]?.start).toMatchObject({
    host: 'cp-1',
    hostKeyFingerprint: 'SHA256:abc',
    kind: 'exec',
    argv: ['env', `KEY=${MASK}`, 'login', `--password=${MASK}`],
    stdinSha256: sha256('input'),
    stdinBytes: 5,
  });
  expect(recorder.entries[0]?.end).toMatchObject({ code: 0, stdout: `token ${MASK}`, stderr: MASK, error: null });
});

test('scripts and uploads are recorded with the digest of what went in', async () => {
  const { host, recorder, fake } = journaled();
  fake.on('mkdir').acceptUploads();
  await host.script('mkdir "$1"', ['/x']);
  await host.upload('/etc/é', 'contént', { mode: 0o600, owner: 'etcd' });
  expect(recorder.entries.map(({ start }) => [start.kind, start.argv, start.stdinSha256, start.stdinBytes])).toEqual([
    ['script', ['sh', '-eu', '-s', '--', '/x'], sha256(scriptInput('mkdir "$1"')), scriptInput('mkdir "$1"').length],
    ['upload', ['upload', '/etc/é', '0600', 'etcd:'], sha256('contént'), 8],
  ]);
  expect(fake.files.get('/etc/é')).toBe('contént');
});

test('secrets of one call are masked in that call', async () => {
  const { host, recorder, fake } = journaled();
  fake.on(/echo/, 'another-secret');
  await host.exec(['echo', 'another-secret'], { secrets: ['another-secret'] });
  await host.exec(['echo', 'another-secret']);
  expect(recorder.entries.map(({ start }) => start.argv[1])).toEqual([MASK, 'another-secret']);
  expect(recorder.entries.map(({ end }) => end?.stdout)).toEqual([MASK, 'another-secret']);
});

test('a failed command is recorded with its output, and its error carries no secret', async () => {
  const { host, recorder, fake } = journaled();
  fake.on(/fail/, { code: 3, stdout: 'out', stderr: `denied for ${SECRET}` });
  const error = await failure(host.exec(['fail']));
  expect(error).toMatchObject({ code: 'COMMAND_FAILED', host: 'cp-1', evidence: `denied for ${MASK}` });
  expect(recorder.entries[0]?.end).toMatchObject({ code: 3, stdout: 'out', error: 'COMMAND_FAILED' });
  expect((await host.exec(['fail'], { okCodes: 'any' })).code).toBe(3);
  expect(recorder.entries[1]?.end).toMatchObject({ code: 3, error: null });
});

test('a stopped command is recorded with what it printed until then', async () => {
  const { host, recorder, fake } = journaled();
  const result = { code: -1, signal: null, stdout: `half ${SECRET}`, stderr: '', durationMs: 1, truncated: false };
  const cause = new Error(`socket said ${SECRET}`);
  fake.on(
    /long/,
    new CommandError('COMMAND_TIMEOUT', `long ${SECRET}`, { host: 'cp-1', evidence: SECRET, result, cause }),
  );
  const error = await failure(host.exec(['long']));
  expect(error.code).toBe('COMMAND_TIMEOUT');
  expect(JSON.stringify([error.message, error.evidence, String(error.cause), error.stack])).not.toContain(SECRET);
  expect(recorder.entries[0]?.end).toMatchObject({ code: null, stdout: `half ${MASK}`, error: 'COMMAND_TIMEOUT' });
});

test('an error that is not ours is masked too', async () => {
  const { host, recorder, fake } = journaled();
  fake.on(/odd/, new TypeError(`odd ${SECRET}`));
  const error = await failure(host.exec(['odd']));
  expect(KubewrightError.is(error)).toBe(true);
  expect(error).toMatchObject({ code: 'INTERNAL', message: `odd ${MASK}` });
  expect(recorder.entries[0]?.end?.error).toBe('INTERNAL');
});

test('when the journal cannot be written, no command runs', async () => {
  const { host, recorder, fake } = journaled();
  recorder.begin = () => Promise.reject(new Error('disk full'));
  await expect(host.exec(['true'])).rejects.toThrow('disk full');
  expect(fake.commands).toEqual([]);
});

test('when the end of a failed command cannot be written, neither cause is lost and the record stays open', async () => {
  const { recorder, fake } = journaled();
  const warnings: object[] = [];
  const host = new JournaledHost(fake, {
    recorder,
    hostKeyFingerprint: 'SHA256:abc',
    secrets: new KnownSecrets([SECRET]),
    logger: { debug: () => {}, warn: (details) => warnings.push(details) },
  });
  const begin = recorder.begin.bind(recorder);
  recorder.begin = async (start) => {
    const { seq } = await begin(start);
    const away = new KubewrightError('STORE_FAILED', 'the database is away', { evidence: `as ${SECRET}` });
    return { seq, end: () => Promise.reject(away) };
  };
  const result = { code: -1, signal: null, stdout: '', stderr: '', durationMs: 1, truncated: false };
  const cause = new Error('reset by peer');
  fake.on(/gone/, new CommandError('SSH_CONNECTION_LOST', 'lost', { host: 'cp-1', evidence: 'half', result, cause }));
  const error = await failure(host.exec(['gone']));
  const journal = `its end is not in the journal: the database is away (as ${MASK})`;
  expect(error).toMatchObject({
    code: 'SSH_CONNECTION_LOST',
    message: 'lost',
    host: 'cp-1',
    evidence: `half\n${journal}`,
  });
  expect(error.cause).toMatchObject({ message: journal, cause: { message: 'reset by peer' } });
  expect(warnings).toMatchObject([{ host: 'cp-1', kind: 'exec', seq: 1, err: { code: 'STORE_FAILED' } }]);
  expect(recorder.entries).toMatchObject([{ end: null }]);

  fake.on(/fine/, 'yes');
  await expect(host.exec(['fine'])).rejects.toMatchObject({ code: 'STORE_FAILED' });
});
