import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { SshPoolLimits } from '../../../activities/host/pool.ts';
import type { KubewrightError } from '../../../contracts/errors.ts';
import { type TestKey, type TestServerOptions, TestSshServer, testKey } from '../../fakes/ssh-server.ts';
import { type TestPool, testPool } from '../../fakes/test-pool.ts';

const hostKey = testKey();
const login = testKey();
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function server(options: Partial<TestServerOptions> = {}): Promise<TestSshServer> {
  const made = await new TestSshServer({ hostKeys: [hostKey], authorized: [login], ...options }).listen();
  cleanups.push(() => made.close());
  return made;
}

function pool(to: TestSshServer, limits: SshPoolLimits = {}): TestPool {
  const made = testPool(
    {
      login: { kind: 'key', privateKey: login.private },
      stranger: { kind: 'key', privateKey: testKey().private },
      password: { kind: 'password', password: 'right one' },
      wrong: { kind: 'password', password: 'wrong one' },
    },
    { port: to.port },
    limits,
  );
  cleanups.push(() => made.pool.close());
  return made;
}

/** The error that the promise is rejected with. */
const failure = (promise: Promise<unknown>): Promise<KubewrightError> =>
  promise.then(
    (value) => {
      throw new Error(`expected a failure, got ${JSON.stringify(value)}`);
    },
    (error: unknown) => error as KubewrightError,
  );

const pinned = (key: TestKey) => key.public.split(' ').slice(0, 2).join(' ');

test('concurrent openers share one connection and one reading of the facts', async () => {
  const sshd = await server();
  const { open, recorder } = pool(sshd);
  const sessions = await Promise.all([open(), open(), open()]);
  expect(sshd.connections).toBe(1);
  expect(recorder.entries).toHaveLength(1);
  expect(sessions[0]?.facts.hostname).not.toBe('');
  expect(new Set(sessions.map((session) => session.hostKeyFingerprint)).size).toBe(1);
  await Promise.all(sessions.map((session) => session.host.exec(['true'])));
  expect(sshd.connections).toBe(1);
});

test('another user, credential or pinned key is another connection', async () => {
  const sshd = await server();
  const { open } = pool(sshd);
  await open();
  await open({ user: 'other' });
  await open({ hostKey: pinned(hostKey) });
  expect(sshd.connections).toBe(3);
});

test('an idle connection is closed, and made again when needed', async () => {
  const sshd = await server();
  const { open } = pool(sshd, { idleMs: 30 });
  const { host } = await open();
  await expect.poll(() => sshd.sockets.size).toBe(0);
  await host.exec(['true']);
  expect(sshd.connections).toBe(2);
});

test('at most five channels are open at once', async () => {
  const sshd = await server();
  const { host } = await pool(sshd).open();
  await Promise.all(Array.from({ length: 12 }, () => host.exec(['sleep', '0.05'])));
  expect(sshd.peakSessions).toBe(5);
  expect(sshd.connections).toBe(1);
});

test('a claim beside a full connection needs no second one', async () => {
  const sshd = await server();
  const { open } = pool(sshd);
  const { host } = await open();
  const running = Promise.all(Array.from({ length: 8 }, () => host.exec(['sleep', '0.5'])));
  await expect.poll(() => sshd.peakSessions).toBe(5);
  const claims: string[] = [];
  // Not run: its folders would be this machine's.
  sshd.when(/op\.000001/, (channel, line) => {
    claims.push(line);
    channel.exit(75);
    channel.end();
  });
  await failure(open({}, { fence: { scope: 'etcd', token: 'op.000001.000001' } }));
  expect(claims).toHaveLength(1);
  await running;
  expect(sshd.peakSessions).toBe(6);
  expect(sshd.connections).toBe(1);
});

test('a host that allows fewer channels than we use still gets everything done', async () => {
  const sshd = await server({ maxSessions: 2 });
  const { open, warnings } = pool(sshd);
  const { host } = await open();
  const results = await Promise.all(
    Array.from({ length: 10 }, (_, n) => host.exec(['sh', '-c', 'sleep 0.05; echo "$1"', 'sh', String(n)])),
  );
  expect(results.map((result) => result.stdout.trim())).toEqual(Array.from({ length: 10 }, (_, n) => String(n)));
  expect(warnings).toContain('the host opened no SSH channel: reconnecting');
  expect(sshd.peakSessions).toBe(2);
});

test('a host that gives no channel at all is a lost connection, after some tries', async () => {
  const sshd = await server();
  const { host } = await pool(sshd).open();
  sshd.maxSessions = 0;
  const error = await failure(host.exec(['true']));
  expect(error).toMatchObject({ code: 'SSH_CONNECTION_LOST', host: 'host-1' });
  expect(error.evidence).toMatch(/Channel open failure/);
  expect(sshd.connections).toBe(4);
});

test('a reset of an idle connection is harmless: the next command reconnects', async () => {
  const sshd = await server();
  const { host } = await pool(sshd).open();
  for (const how of ['reset', 'end'] as const) {
    sshd.drop(how);
    await expect.poll(() => sshd.sockets.size).toBe(0);
    expect((await host.exec(['echo', how])).stdout).toBe(`${how}\n`);
  }
  expect(sshd.connections).toBe(3);
});

test('commands during a reset either run or fail with CONNECTION_LOST', async () => {
  const sshd = await server();
  const { host } = await pool(sshd).open();
  const running = Promise.allSettled(Array.from({ length: 10 }, () => host.exec(['sh', '-c', 'sleep 0.02'])));
  sshd.drop('reset');
  for (const outcome of await running) {
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'SSH_CONNECTION_LOST' });
  }
  await host.exec(['true']);
});

test('keepalives detect a broken link, on idle connections and during commands', async () => {
  const sshd = await server();
  const { host } = await pool(sshd, { keepaliveMs: 20, keepaliveCount: 2 }).open();
  const running = failure(host.exec(['sleep', '5']));
  await expect.poll(() => sshd.lines.length).toBe(2);
  sshd.freeze();
  const error = await running;
  expect(error.code).toBe('SSH_CONNECTION_LOST');
  expect(error.evidence).toMatch(/no answer to 2 keepalives/);
  await host.exec(['true']);
  expect(sshd.connections).toBe(2);
});

test('the first key seen is recorded; another one later stops', async () => {
  const sshd = await server();
  const { open, hostKeys, pool: made } = pool(sshd);
  await open();
  expect(hostKeys.keys.get('test/host-1')).toBe(pinned(hostKey));
  const imposter = testKey();
  sshd.changeHostKeys(imposter);
  sshd.drop();
  const { hostKeyFingerprint } = await failureFree(open({ hostKey: pinned(imposter) }));
  const error = await failure(open());
  expect(error).toMatchObject({ code: 'SSH_HOST_KEY_MISMATCH', host: 'host-1' });
  expect(error.entry.retryable).toBe(false);
  expect(error.evidence).toMatch(/expected SHA256:\S{43}\s+shown {4}SHA256:\S{43}$/);
  expect(error.evidence).toContain(`shown    ${hostKeyFingerprint}`);
  expect(hostKeys.keys.get('test/host-1')).toBe(pinned(hostKey));
  await made.close();
});

test('a failed login records no key', async () => {
  const sshd = await server();
  const { open, hostKeys } = pool(sshd);
  expect((await failure(open({ credential: { name: 'stranger' } }))).code).toBe('SSH_AUTH_FAILED');
  expect(hostKeys.keys.size).toBe(0);
});

test('a pinned key is found whichever of its keys the host prefers', async () => {
  const rsa = testKey('rsa');
  const sshd = await server({ hostKeys: [hostKey, rsa] });
  const { open, hostKeys } = pool(sshd);
  const byKey = await open({ hostKey: pinned(rsa) });
  expect((await open({ hostKey: byKey.hostKeyFingerprint })).hostKeyFingerprint).toBe(byKey.hostKeyFingerprint);
  const ed = await open({ hostKey: pinned(hostKey) });
  expect(ed.hostKeyFingerprint).not.toBe(byKey.hostKeyFingerprint);
  expect(hostKeys.keys.size).toBe(0);
  const wrong = await failure(open({ hostKey: `SHA256:${'A'.repeat(43)}` }));
  expect(wrong.code).toBe('SSH_HOST_KEY_MISMATCH');
  sshd.changeHostKeys(rsa);
  expect((await failure(open({ name: 'host-2', hostKey: pinned(hostKey) }))).code).toBe('SSH_HOST_KEY_MISMATCH');
});

test('passwords work by both methods; a wrong one is an authentication failure', async () => {
  for (const method of ['password', 'keyboard-interactive'] as const) {
    const sshd = await server({ password: 'right one', passwordMethods: [method] });
    const { open, hostKeys } = pool(sshd);
    hostKeys.sure.add('test/host-1');
    await open({ credential: { name: 'password' } });
    const error = await failure(open({ credential: { name: 'wrong' } }));
    expect(error).toMatchObject({ code: 'SSH_AUTH_FAILED', host: 'host-1' });
    expect(JSON.stringify([error.message, error.evidence])).not.toContain('wrong one');
  }
});

test('a closed port, a server without an answer and another protocol are unreachable, with the cause', async () => {
  const sshd = await server();
  const { open } = pool(sshd, { readyTimeoutMs: 60 });
  const closed = await failure(open({ port: 1 }));
  expect(closed).toMatchObject({ code: 'SSH_UNREACHABLE', host: 'host-1' });
  expect(closed.evidence).toMatch(/ECONNREFUSED/);

  for (const greeting of ['', 'HTTP/1.1 400 Bad Request\r\n\r\n']) {
    const silent = createServer((socket) => {
      socket.on('error', () => {});
      if (greeting !== '') socket.end(greeting);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    expect((await failure(open({ port }))).code).toBe('SSH_UNREACHABLE');
    silent.close();
  }
  const unknown = await failure(open({ address: 'no-such-host.invalid' }));
  expect(unknown.code).toBe('SSH_UNREACHABLE');
});

test('commands wait for a restart of sshd; a host that does not answer has one error for all callers', async () => {
  const port = await freePort();
  const made = testPool({ login: { kind: 'key', privateKey: login.private } }, { port }, { retryForMs: 10_000 });
  cleanups.push(() => made.pool.close());
  const opening = made.open();
  await expect.poll(() => made.tries()).toBeGreaterThan(1);
  const sshd = await new TestSshServer({ hostKeys: [hostKey], authorized: [login] }).listen(port);
  await (await opening).host.exec(['true']);
  await sshd.close();

  const other = testPool({ login: { kind: 'key', privateKey: login.private } }, { port }, { retryForMs: 1_000 });
  cleanups.push(() => other.pool.close());
  const errors = await Promise.all([failure(other.open()), failure(other.open()), failure(other.open())]);
  for (const { message } of errors)
    expect(message).toMatch(/refuses connections: nothing listens there \(tried for 1 s\)/);
  const before = other.tries();
  // Known as down: one try, in case it is reachable again.
  const again = await failure(other.open());
  expect(again.message).not.toMatch(/tried for/);
  expect(other.tries()).toBe(before + 1);
  const back = await new TestSshServer({ hostKeys: [hostKey], authorized: [login] }).listen(port);
  cleanups.push(() => back.close());
  await (await other.open()).host.exec(['true']);
});

test('after a failed connect the next open tries again', async () => {
  const sshd = await server({ authorized: [] });
  const { open } = pool(sshd);
  await failure(open());
  await failure(open());
  expect(sshd.connections).toBe(2);
});

test('an abort while connecting returns at once and spoils nothing for others', async () => {
  const sshd = await server();
  const { open } = pool(sshd);
  const controller = new AbortController();
  const aborted = failure(open({}, { signal: controller.signal }));
  const other = open();
  controller.abort();
  expect((await aborted).code).toBe('COMMAND_ABORTED');
  await (await other).host.exec(['true']);
  expect(sshd.connections).toBe(1);
});

test('a jump host carries the connection, with its own key check', async () => {
  const inner = await server();
  const bastionKey = testKey();
  const bastion = await server({ hostKeys: [bastionKey] });
  const { open, hostKeys } = pool(inner);
  const jump = { address: '127.0.0.1', port: bastion.port, user: 'hop', credential: { name: 'login' } };
  const [one, two] = await Promise.all([open({ jump }), open({ name: 'host-2', jump })]);
  expect((await one.host.exec(['echo', 'hi'])).stdout).toBe('hi\n');
  await two.host.exec(['true']);
  expect(bastion.connections).toBe(1);
  expect(hostKeys.keys.get(`test/jump:127.0.0.1:${bastion.port}`)).toBe(pinned(bastionKey));
  expect(hostKeys.keys.get('test/host-1')).toBe(pinned(hostKey));

  const closed = await failure(open({ jump, port: 1 }));
  expect(closed.code).toBe('SSH_UNREACHABLE');
  expect(closed.message).toContain('host-1 (root@127.0.0.1, port 1) cannot be reached from the jump host 127.0.0.1');
  const imposter = await failure(open({ name: 'host-3', jump: { ...jump, hostKey: pinned(hostKey) } }));
  expect(imposter).toMatchObject({ code: 'SSH_HOST_KEY_MISMATCH', host: 'host-3' });

  bastion.drop();
  await expect.poll(() => inner.sockets.size).toBe(0);
  expect((await one.host.exec(['echo', 'again'])).stdout).toBe('again\n');
});

test('a closed pool opens nothing', async () => {
  const sshd = await server();
  const { open, pool: made } = pool(sshd);
  const { host } = await open();
  await made.close();
  await expect.poll(() => sshd.sockets.size).toBe(0);
  expect((await failure(open())).code).toBe('COMMAND_ABORTED');
  expect((await failure(host.exec(['true']))).code).toBe('COMMAND_ABORTED');
});

/** A port where nothing listens. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Says in the test's text that this part is expected to work. */
const failureFree = <T>(promise: Promise<T>): Promise<T> => promise;
