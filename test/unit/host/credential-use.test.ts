import { afterEach, expect, test } from 'vitest';
import { createCredentialResolver } from '../../../activities/host/credentials.ts';
import { pinnedFingerprint } from '../../../activities/host/host-keys.ts';
import { KnownSecrets } from '../../../activities/host/known-secrets.ts';
import { createSshPool } from '../../../activities/host/pool.ts';
import type { KubewrightError } from '../../../contracts/errors.ts';
import { type TestKey, type TestServerOptions, TestSshServer, testKey } from '../../fakes/ssh-server.ts';
import { MemoryHostKeys, MemoryRecorder, type TestPool, testPool } from '../../fakes/test-pool.ts';

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

function pool(to: TestSshServer): TestPool {
  const made = testPool(
    {
      login: { kind: 'key', privateKey: login.private },
      password: { kind: 'password', password: 'right one' },
    },
    { port: to.port },
  );
  cleanups.push(() => made.pool.close());
  return made;
}

const failure = (promise: Promise<unknown>): Promise<KubewrightError> =>
  promise.then(
    () => Promise.reject(new Error('expected a failure')),
    (error: unknown) => error as KubewrightError,
  );

const pinned = (key: TestKey) => key.public.split(' ').slice(0, 2).join(' ');
const fingerprintOf = (key: TestKey) => pinnedFingerprint(pinned(key));

test('no password is sent to a host with an unconfirmed key, by any method, also through a jump host', async () => {
  for (const method of ['password', 'keyboard-interactive'] as const) {
    const sshd = await server({ password: 'right one', passwordMethods: [method] });
    const { open, hostKeys } = pool(sshd);
    const error = await failure(open({ credential: { name: 'password' } }));
    expect(error).toMatchObject({ code: 'SSH_HOST_KEY_UNCONFIRMED', host: 'host-1' });
    const shown = fingerprintOf(hostKey);
    expect(error.evidence).toContain(shown);
    expect(error.evidence).toContain(`POST /clusters/test/hosts/host-1/host-key with {"fingerprint":"${shown}"}`);
    // Seen once is not confirmed: neither by this login, nor by one with a key.
    expect(hostKeys.keys.size).toBe(0);
    await open();
    expect(hostKeys.keys.size).toBe(1);
    expect((await failure(open({ credential: { name: 'password' } }))).code).toBe('SSH_HOST_KEY_UNCONFIRMED');
    const jump = { address: '127.0.0.1', port: sshd.port, user: 'root', credential: { name: 'password' } };
    const through = await failure(open({ name: 'inner', hostKey: shown, jump }));
    expect(through.code).toBe('SSH_HOST_KEY_UNCONFIRMED');
    expect(through.evidence).toContain(`hosts/{host}/host-key with {"fingerprint":"${shown}","jump":true}`);
    expect(sshd.offered).toEqual([]);
    // Another key than the confirmed one gets nothing either.
    hostKeys.sure.add('test/host-1');
    hostKeys.keys.set('test/host-1', pinned(testKey()));
    expect((await failure(open({ credential: { name: 'password' } }))).code).toBe('SSH_HOST_KEY_MISMATCH');
    expect(sshd.offered).toEqual([]);
    await open({ credential: { name: 'password' }, hostKey: shown });
    expect(new Set(sshd.offered)).toEqual(new Set(['right one']));
  }
});

test('a credential for some networks is used at those addresses of a name only, and those are connected to', async () => {
  const sshd = await server();
  const at = (addresses: string[]) => {
    const hostKeys = new MemoryHostKeys();
    const made = createSshPool({
      hostKeys,
      limits: { retryForMs: 0 },
      credentials: createCredentialResolver({
        named: () => Promise.resolve({ kind: 'key', privateKey: login.private, clusters: ['test'], addresses }),
      }),
    });
    cleanups.push(() => made.close());
    return (address: string, cluster = 'test') =>
      made.open(
        { name: 'host-1', address, port: sshd.port, user: 'root', credential: { name: 'login' } },
        {
          cluster,
          signal: new AbortController().signal,
          recorder: new MemoryRecorder(),
          secrets: new KnownSecrets([]),
          owner: null,
        },
      );
  };
  await at(['127.0.0.0/8'])('localhost');
  await at(['localhost'])('localhost');
  expect(sshd.connections).toBe(2);
  const absent = { code: 'SSH_CREDENTIAL_UNUSABLE' };
  const refusals = [
    await failure(at(['10.0.0.0/8'])('localhost')),
    await failure(at(['example.com'])('localhost')),
    await failure(at(['10.0.0.0/8', '127.0.0.2'])('localhost')),
    await failure(at(['127.0.0.0/8'])('localhost', 'other')),
  ];
  for (const error of refusals) expect(error).toMatchObject(absent);
  expect(new Set(refusals.slice(0, 3).map(({ message }) => message))).toEqual(
    new Set(['there is no credential named login for the cluster test at localhost']),
  );
  expect(sshd.connections).toBe(2);
});

test('an open connection is not used after the credential was revoked', async () => {
  const sshd = await server();
  let clusters = ['test'];
  const made = createSshPool({
    hostKeys: new MemoryHostKeys(),
    limits: { retryForMs: 0 },
    credentials: createCredentialResolver({
      named: () => Promise.resolve({ kind: 'key', privateKey: login.private, clusters }),
    }),
  });
  cleanups.push(() => made.close());
  const open = () =>
    made.open(
      { name: 'host-1', address: '127.0.0.1', port: sshd.port, user: 'root', credential: { name: 'login' } },
      {
        cluster: 'test',
        signal: new AbortController().signal,
        recorder: new MemoryRecorder(),
        secrets: new KnownSecrets([]),
        owner: null,
      },
    );
  await open();
  clusters = ['other'];
  expect((await failure(open())).code).toBe('SSH_CREDENTIAL_UNUSABLE');
});
